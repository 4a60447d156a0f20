"""The rows of one slot: values and optimizer state, found by id without collisions."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numba import njit

from messages.arrays import AnyArray, BoolArray, FloatArray, IdArray, IntArray
from messages.identifiers import MISSING_KEY, buckets_of
from messages.updates import RowGradients, Rows
from parameter_server.admission import AdmissionFilter, Candidates
from parameter_server.initializers import fill_initial, slot_seed
from parameter_server.native_memory import kernel_input
from parameter_server.optimizers import RowOptimizer, initial_state, state_width
from parameter_server.recency import HEADER_BYTES
from parameter_server.retirement import overdue, surplus
from parameter_server.row_storage import read_words
from parameter_server.row_table import RowTable
from parameter_server.settings import SlotSettings
from parameter_server.table_state import TableState

__all__ = ["EmbeddingTable", "TableState"]


class EmbeddingTable:
    """An embedding table whose rows exist from their admission, birth or restore on.

    A missing row reads as `initial_rows`; MISSING_KEY reads as zeros and is never stored. Versions, and times
    in whole epoch seconds of the stream, rise with each call that changes something.
    """

    def __init__(self, slot: str, settings: SlotSettings, share: float = 1.0) -> None:
        """share: of all buckets that this table has, and so of `max_rows`."""
        self._slot = slot
        self._table = RowTable(settings.dimension + state_width(settings))
        self._seed = slot_seed(slot)
        self._steps = 0
        self._num: Counter[str] = Counter()
        self.share = share
        self._admission = AdmissionFilter(settings.admission, self._seed)
        self.use(settings)

    def use(self, settings: SlotSettings) -> None:
        """Go on with other rates and bounds; the layout must be the same."""
        self.settings = settings
        self._admission.settings = settings.admission
        self._optimizer = RowOptimizer(settings, self._seed)

    def __len__(self) -> int:
        return len(self._table)

    @property
    def num_bytes(self) -> int:
        return self._table.num_bytes + self._admission.num_bytes

    @property
    def rows(self) -> RowTable:
        """The rows themselves, for inspection."""
        return self._table

    def read(self, ids: IdArray) -> FloatArray:
        """Return the values of ids, float32 [m, dimension]; inserts nothing. ids: uint64 [m]."""
        return self.read_rows(ids, self._table.find(ids))

    def read_rows(self, ids: IdArray, rows: IntArray) -> FloatArray:
        """Return the values of ids whose row numbers are known, -1 for those without."""
        values = np.empty((len(ids), self.settings.dimension), dtype=np.float32)
        storage = self._table.storage
        numbers = kernel_input(rows, np.int64)
        words = values.view(np.uint32)
        if read_words(numbers, storage.addresses, storage.row_bytes, HEADER_BYTES, words):
            _fill_missing(
                numbers,
                kernel_input(ids, np.uint64),
                self._seed,
                np.float32(self.settings.initial_scale),
                values,
            )
        return values

    def apply(
        self,
        update: RowGradients,
        version: int,
        learning_rate_scale: float = 1.0,
        *,
        time: int = 0,
        draw: int = 0,
    ) -> None:
        """Move rows against their gradients. Ids must be unique.

        Ids without a row are given one if they are admitted; else their gradients are dropped. draw: names
        the update's position in the stream.
        """
        if not self.settings.admission.admits_all:
            update = self._admitted(update, time, draw)
        self.apply_rows(self._table.rows_for(update.ids), update, version, learning_rate_scale, time)

    def apply_rows(
        self, rows: IntArray, update: RowGradients, version: int, learning_rate_scale: float, time: int
    ) -> None:
        """Move rows whose numbers are known."""
        num_new = self._optimizer.apply(
            self._table.storage,
            rows,
            update.ids,
            update.gradients,
            self.settings.rate_at(self._steps) * learning_rate_scale,
            version,
            time,
        )
        self._num["admitted"] += num_new
        self._steps += 1

    def give_birth(self, births: Rows, version: int, *, time: int = 0) -> int:
        """Store first values where no row exists yet and return for how many. Ids must be unique."""
        unborn = np.flatnonzero(~self._table.holds(births.ids) & (births.ids != MISSING_KEY))
        if len(unborn):
            born = births.take(unborn)
            state = np.broadcast_to(initial_state(self.settings), (len(born), state_width(self.settings)))
            self._table.put(born.ids, _words([born.values, state]), version, time)
            self._admission.erase(born.ids)
            self._num["born"] += len(born)
        return len(unborn)

    def erase(self, ids: IdArray) -> IdArray:
        """Forget ids, values and optimizer state, and return those that were there, uint64 [k]."""
        return self._table.erase(ids)

    def retire(self, time: int) -> IdArray:
        """Forget rows that have expired or exceed the bound; return their ids, uint64 [k]."""
        settings = self.settings
        if not settings.admission.admits_all:
            self._admission.forget_stale(time, settings.expire_after_seconds, self.share)
        gone = []
        if settings.expire_after_seconds is not None:
            gone.append(self._table.erase(overdue(self._table, time, settings.expire_after_seconds)))
            self._num["expired"] += len(gone[-1])
        if settings.max_rows is not None:
            most = max(1, int(np.ceil(settings.max_rows * self.share)))
            gone.append(self._table.erase(surplus(self._table, most)))
            self._num["evicted"] += len(gone[-1])
        return np.concatenate(gone) if gone else np.empty(0, dtype=np.uint64)

    def holds(self, ids: IdArray) -> BoolArray:
        """Say which ids have a stored row, bool [m]."""
        return self._table.holds(ids)

    def changed_since(self, version: int) -> Rows:
        """Return the rows changed after `version`, work in proportion to the changes since."""
        rows = self._table.storage.changed_since(version)
        return Rows(self._table.storage.ids_of(rows), self._floats(rows, self.settings.dimension))

    def all_rows(self) -> Rows:
        ids, rows = self._table.index.entries()
        return Rows(ids, self._floats(rows, self.settings.dimension))

    def state(self) -> TableState:
        """Return a copy of everything, by rising row number."""
        return self._state_of(*self._table.index.entries(), self._admission.state())

    def state_of_rows(self, rows: IntArray) -> TableState:
        """Return a copy of those of some row numbers that are in use, without candidates."""
        return self._state_of(*self._table.used(rows), Candidates.none())

    def state_since(self, version: int) -> TableState:
        """Return a copy of the rows changed after `version`, and of all candidates."""
        rows = self._table.storage.changed_since(version)
        return self._state_of(self._table.storage.ids_of(rows), rows, self._admission.state())

    def state_of_buckets(self, wanted: BoolArray) -> TableState:
        """Return a copy of the rows and candidates of wanted buckets. wanted: bool [NUM_BUCKETS]."""
        ids, rows = self._table.index.entries()
        kept = wanted[buckets_of(ids)]
        return self._state_of(ids[kept], rows[kept], self._admission.state().of_buckets(wanted))

    def forget_candidates(self, ids: IdArray) -> None:
        self._admission.erase(ids)

    def load(self, state: TableState) -> None:
        """Take over rows that are not here; to readers of versions they have always been there."""
        self._table.load(state.ids, _words([state.records]), state.times)
        self._admission.load(state.candidates)
        self._steps = max(self._steps, state.steps)

    def statistics(self) -> dict[str, Any]:
        """Return plain numbers: rows, bytes, load factor of the index, and what became of ids so far."""
        return {
            "rows": len(self),
            "bytes": self.num_bytes,
            "load_factor": self._table.index.load_factor,
            "candidates": len(self._admission),
            **{name: self._num[name] for name in ("admitted", "born", "refused", "expired", "evicted")},
        }

    def _admitted(self, update: RowGradients, time: int, draw: int) -> RowGradients:
        unknown = np.flatnonzero(~self._table.holds(update.ids) & (update.ids != MISSING_KEY))
        if not len(unknown):
            return update
        admitted = self._admission.admit(update.ids[unknown], update.counts[unknown], time, draw)
        refused = unknown[~admitted]
        self._num["refused"] += int(np.asarray(update.counts)[refused].sum())
        kept = np.ones(len(update.ids), dtype=np.bool_)
        kept[refused] = False
        return update.take(np.flatnonzero(kept))

    def _state_of(self, ids: IdArray, rows: IntArray, candidates: Candidates) -> TableState:
        width = self.settings.dimension + state_width(self.settings)
        return TableState(ids, self._floats(rows, width), self._table.times_of(rows), self._steps, candidates)

    def _floats(self, rows: IntArray, width: int) -> FloatArray:
        words: AnyArray = self._table.storage.read(rows, width)
        return words.view(np.float32)


def _words(parts: list[FloatArray]) -> AnyArray:
    joined = np.concatenate(parts, axis=1, dtype=np.float32) if len(parts) > 1 else parts[0]
    return np.ascontiguousarray(joined, dtype=np.float32).view(np.uint32)


@njit(cache=True, nogil=True)
def _fill_missing(rows: Any, ids: Any, seed: Any, scale: Any, values: Any) -> None:
    for index in range(len(rows)):
        if rows[index] < 0:
            fill_initial(ids[index], seed, scale, values[index])
