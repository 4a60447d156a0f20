"""The model that serves: rows, dense weights, counters and contents, following the shards by deltas."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from messages.arrays import FloatArray, IdArray, IntArray
from messages.content import ContentColumns
from messages.features import IdBags
from messages.impressions import ModelVersion
from messages.updates import CounterRows, ModelDelta, Position, Rows
from serve_app.content_index import ContentIndex
from serve_app.index_rebuild import ContentIndexSettings
from serve_app.replica_state import ReplicaState, SlotShape

SLICE_ROWS = 256
"""Rows changed between two chances for a request: about 2 ms of a waiting request's time."""

NO_VERSION = -1
"""The counter that asks for a full delta."""


class DeltaGapError(RuntimeError):
    """A delta builds on a version that this replica does not stand at; it needs a full one."""


class DeltaMismatchError(ValueError):
    """A delta does not fit this replica's model: another model, an unknown slot, another dimension."""


class ModelReplica:
    """One thread reads it and applies deltas to it, so a reader sees a slice whole or not at all.

    slots, retrieval_slot, content_vectors: see `ReplicaState`. `version` is None until the first full delta.
    """

    def __init__(
        self,
        model_id: str,
        slots: Mapping[str, SlotShape],
        retrieval_slot: str,
        content_vectors: Callable[[FloatArray], FloatArray],
        index_settings: ContentIndexSettings | None = None,
    ) -> None:
        self.model_id = model_id
        self._slots = dict(slots)
        self._retrieval_slot = retrieval_slot
        self._content_vectors = content_vectors
        self._index_settings = index_settings
        self._state = self._empty_state(None)
        self.as_of = 0.0
        """Epoch seconds at which the shards were read for the newest delta that is in here."""

    @property
    def version(self) -> ModelVersion | None:
        return self._state.version

    @property
    def counter(self) -> int:
        """The version to ask changes after; NO_VERSION asks for everything."""
        return NO_VERSION if self._state.version is None else self._state.version.counter

    @property
    def row_group(self) -> str:
        """The name under which the store keeps people's own rows of this model: a rollback opens a new
        lineage, which must not see the rows of the old one."""
        version = self._state.version
        return self.model_id if version is None else f"{self.model_id}.{version.lineage}"

    @property
    def dimensions(self) -> dict[str, int]:
        """The number of columns of every slot."""
        return {slot: shape.dimension for slot, shape in self._slots.items()}

    @property
    def dense(self) -> Mapping[str, FloatArray]:
        return self._state.dense

    @property
    def positions(self) -> Mapping[int, Position]:
        return self._state.positions

    @property
    def state(self) -> ReplicaState:
        """The copy that serves now. A full delta puts another in its place: do not keep it across an
        await."""
        return self._state

    def rows(self, slot: str, ids: IdArray) -> FloatArray:
        """Look rows up, float32 [m, dimension]; missing ones read as their initial values."""
        return self._state.embeddings[slot].read(ids)

    def copy_rows(self, slot: str, ids: IdArray, into: FloatArray, column: int) -> None:
        """Write the rows of n ids into the columns of `into`, float32 [n, w], from `column` on."""
        self._state.embeddings[slot].copy(ids, into, column)

    def copy_means(self, slot: str, bags: IdBags, into: FloatArray, column: int) -> None:
        """Write the mean row of each of n bags likewise; zeros for an empty one."""
        self._state.embeddings[slot].copy_means(bags, into, column)

    def counters_of(self, keys: IdArray) -> CounterRows:
        """Return the counters of contents by key; zeros for those that nobody watched."""
        return self._state.counters.read(keys)

    def contents(self, rows: IntArray) -> ContentColumns:
        """Return the facts of contents by row number."""
        return self._state.contents.take(rows)

    def unnamed_contents(self, rows: IntArray) -> ContentColumns:
        """Return the same without the names, which only what is shown needs."""
        return self._state.contents.take_unnamed(rows)

    def apply(self, delta: ModelDelta) -> Iterator[int]:
        """Check a delta, then apply it slice by slice: each step changes up to SLICE_ROWS rows and yields how
        many. The version, the dense weights and the positions move after the last slice.

        A full delta is built beside the copy that serves and takes its place at the end; a changing one left
        halfway may be applied again, since its values are absolute. Raises DeltaGapError or
        DeltaMismatchError before anything is changed.
        """
        self._check(delta)
        return self._slices(delta)

    def apply_whole(self, delta: ModelDelta) -> None:
        """Apply a delta without a pause, where no request waits."""
        for _ in self.apply(delta):
            pass

    def statistics(self) -> dict[str, Any]:
        """Return plain numbers: rows and bytes by slot, contents, indexed, counters."""
        state = self._state
        return {
            "rows": {slot: len(rows) for slot, rows in state.embeddings.items()},
            "bytes": {slot: rows.nbytes for slot, rows in state.embeddings.items()},
            "contents": len(state.contents),
            "indexed": len(state.index),
            "index_lists": 0 if state.index.inverted is None else state.index.inverted.num_lists,
            "counters": len(state.counters),
        }

    def _empty_state(self, like: ContentIndex | None) -> ReplicaState:
        return ReplicaState(
            self._slots, self._retrieval_slot, self._content_vectors, self._index_settings, like
        )

    def _slices(self, delta: ModelDelta) -> Iterator[int]:
        state = self._empty_state(self._state.index) if delta.full else self._state
        for slot, ids in delta.removed.items():
            for start, end in _cuts(len(ids)):
                state.remove_rows(slot, ids[start:end])
                yield end - start
        for slot, rows in delta.rows.items():
            for start, end in _cuts(len(rows)):
                state.put_rows(slot, Rows(rows.ids[start:end], rows.values[start:end]))
                yield end - start
        if delta.counters is not None:
            for start, end in _cuts(len(delta.counters)):
                state.put_counters(delta.counters.take(np.arange(start, end)))
                yield end - start
        if delta.contents is not None:
            for start, end in _cuts(len(delta.contents)):
                state.put_contents(delta.contents.take(np.arange(start, end)))
                yield end - start
        for start, end in _cuts(len(delta.removed_contents)):
            state.remove_contents(delta.removed_contents[start:end])
            yield end - start
        state.dense = {**state.dense, **delta.dense}
        state.positions = {**state.positions, **delta.positions}
        state.version = delta.version
        self.as_of = max(self.as_of, delta.created_at)
        self._state = state

    def _check(self, delta: ModelDelta) -> None:
        version = self._state.version
        if delta.version.model_id != self.model_id:
            raise DeltaMismatchError(f"a delta of model {delta.version.model_id!r} came to {self.model_id!r}")
        if not delta.full and (
            version is None or delta.version.lineage != version.lineage or delta.previous != version.counter
        ):
            raise DeltaGapError(
                f"delta {delta.version} builds on {delta.previous}, this replica stands at {version}"
            )
        for slot, rows in delta.rows.items():
            expected = (len(rows.ids), self._slots[slot].dimension) if slot in self._slots else None
            if rows.values.shape != expected:
                raise DeltaMismatchError(f"rows of slot {slot!r}: {rows.values.shape}, expected {expected}")
        unknown = [slot for slot in delta.removed if slot not in self._slots]
        if unknown:
            raise DeltaMismatchError(f"removals in unknown slots {unknown}")


def _cuts(count: int) -> Iterator[tuple[int, int]]:
    for start in range(0, count, SLICE_ROWS):
        yield start, min(start + SLICE_ROWS, count)
