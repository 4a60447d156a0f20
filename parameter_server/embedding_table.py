"""The rows of one slot: values and optimizer state, found by id without collisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import carray, njit

from messages.arrays import AnyArray, BoolArray, FloatArray, IdArray, IntArray
from messages.identifiers import MISSING_KEY, buckets_of
from messages.updates import RowGradients, Rows
from parameter_server.change_log import ChangeLog
from parameter_server.cuckoo_index import CuckooIndex
from parameter_server.initializers import fill_initial, slot_seed
from parameter_server.native_memory import kernel_input, pointer_to
from parameter_server.optimizers import RowOptimizer, initial_state, state_width
from parameter_server.row_storage import HEADER_BYTES, RowStorage, prefetch_row, row_address
from parameter_server.settings import SlotSettings


@dataclass(frozen=True, slots=True)
class TableState:
    """Whole rows, for snapshots. ids: uint64 [n]. records: float32 [n, dimension + state width]."""

    ids: IdArray
    records: FloatArray

    def of_buckets(self, wanted: BoolArray) -> TableState:
        """Return the rows of wanted buckets. wanted: bool [NUM_BUCKETS]."""
        kept = wanted[buckets_of(self.ids)]
        return TableState(self.ids[kept], self.records[kept])


class EmbeddingTable:
    """An embedding table whose rows exist from their first gradient, birth or restore on.

    A missing row reads as `initial_rows`; MISSING_KEY reads as zeros and is never stored. Versions rise with
    each call that changes something.
    """

    def __init__(self, slot: str, settings: SlotSettings) -> None:
        self._slot = slot
        self._index = CuckooIndex()
        self._storage = RowStorage(settings.dimension + state_width(settings))
        self._changes = ChangeLog(self._storage)
        self._seed = slot_seed(slot)
        self.use(settings)

    def use(self, settings: SlotSettings) -> None:
        """Go on with other rates and bounds; the layout must be the same."""
        self.settings = settings
        self._optimizer = RowOptimizer(settings, self._seed)

    def __len__(self) -> int:
        return len(self._index)

    @property
    def num_bytes(self) -> int:
        return self._index.num_bytes + self._storage.num_bytes + self._changes.num_bytes

    def read(self, ids: IdArray) -> FloatArray:
        """Return the values of ids, float32 [m, dimension]; inserts nothing. ids: uint64 [m]."""
        values = np.empty((len(ids), self.settings.dimension), dtype=np.float32)
        _read_values(
            kernel_input(self._index.find(ids), np.int64),
            kernel_input(ids, np.uint64),
            self._storage.addresses,
            self._storage.row_bytes,
            self._seed,
            np.float32(self.settings.initial_scale),
            values,
        )
        return values

    def apply(self, update: RowGradients, version: int, learning_rate_scale: float = 1.0) -> None:
        """Move rows against their gradients, making those that do not exist yet."""
        rows = self._index.find_or_insert(update.ids)
        self._storage.reserve(self._index.num_row_slots)
        touched = self._optimizer.apply(
            self._storage, rows, update.ids, update.gradients, version, learning_rate_scale
        )
        self._changes.append(touched, version, len(self))

    def give_birth(self, births: Rows, version: int) -> int:
        """Store first values where no row exists yet and return for how many. Ids must be unique."""
        unborn = np.flatnonzero((self._index.find(births.ids) < 0) & (births.ids != MISSING_KEY))
        if len(unborn):
            born = births.take(unborn)
            state = np.broadcast_to(initial_state(self.settings), (len(born), state_width(self.settings)))
            rows = self._store(born.ids, np.concatenate([born.values, state], axis=1), version)
            self._changes.append(rows, version, len(self))
        return len(unborn)

    def erase(self, ids: IdArray) -> IdArray:
        """Forget ids, values and optimizer state, and return those that were there, uint64 [k]."""
        rows = self._index.erase(ids)
        gone = rows >= 0
        self._storage.clear(rows[gone])
        return ids[gone]

    def holds(self, ids: IdArray) -> BoolArray:
        """Say which ids have a stored row, bool [m]."""
        return self._index.find(ids) >= 0

    def changed_since(self, version: int) -> Rows:
        """Return the rows changed after `version`, work in proportion to the changes since."""
        rows = self._changes.rows_since(version)
        return Rows(self._storage.ids_of(rows), self._floats(rows, self.settings.dimension))

    def all_rows(self) -> Rows:
        ids, rows = self._index.entries()
        return Rows(ids, self._floats(rows, self.settings.dimension))

    def state(self) -> TableState:
        """Return a copy of everything, by rising row number."""
        ids, rows = self._index.entries()
        return TableState(ids, self._floats(rows, self.settings.dimension + state_width(self.settings)))

    def load(self, state: TableState, version: int) -> None:
        """Store whole rows of a snapshot; they count as changed at `version`, before which nobody may ask."""
        self._store(state.ids, state.records, version)

    def _store(self, ids: IdArray, records: FloatArray, version: int) -> IntArray:
        rows = self._index.find_or_insert(ids)
        self._storage.reserve(self._index.num_row_slots)
        words = np.ascontiguousarray(records, dtype=np.float32).view(np.uint32)
        self._storage.write(rows, ids, words, version)
        return rows

    def _floats(self, rows: IntArray, width: int) -> FloatArray:
        words: AnyArray = self._storage.read(rows, width)
        return words.view(np.float32)


@njit(cache=True, nogil=True)
def _read_values(
    rows: Any, ids: Any, addresses: Any, row_bytes: Any, seed: Any, scale: Any, values: Any
) -> None:
    dimension = values.shape[1]
    for index in range(len(rows)):
        prefetch_row(addresses, rows, index, row_bytes)
        if rows[index] < 0:
            fill_initial(ids[index], seed, scale, values[index])
            continue
        address = row_address(addresses, rows[index], row_bytes) + np.uint64(HEADER_BYTES)
        row = carray(pointer_to(address), (dimension,), np.float32)
        for column in range(dimension):
            values[index, column] = row[column]
