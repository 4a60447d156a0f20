"""The rows of one slot as plain arrays, and how they are made to fit a slot whose dimension has changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from messages.arrays import BoolArray, FloatArray, IdArray, IntArray
from messages.identifiers import buckets_of
from parameter_server.admission import Candidates
from parameter_server.cuckoo_index import CuckooIndex
from parameter_server.initializers import initial_rows
from parameter_server.optimizers import initial_state, state_width
from parameter_server.settings import SlotSettings


@dataclass(frozen=True, slots=True)
class TableState:
    """Whole rows, for snapshots and moves.

    ids: uint64 [n]. records: float32 [n, dimension + state width]. times: of the last change, epoch seconds,
    int64 [n]. steps: updates the table has applied. candidates: ids that wait for a row.
    """

    ids: IdArray
    records: FloatArray
    times: IntArray
    steps: int
    candidates: Candidates

    def of_buckets(self, wanted: BoolArray) -> TableState:
        """Return the rows of wanted buckets. wanted: bool [NUM_BUCKETS]."""
        kept = wanted[buckets_of(self.ids)]
        return TableState(
            self.ids[kept],
            self.records[kept],
            self.times[kept],
            self.steps,
            self.candidates.of_buckets(wanted),
        )

    def changed_by(self, newer: TableState, removed: IdArray) -> TableState:
        """Return this state with the rows of a later one written over it, and removed ones gone."""
        kept = without(self.ids, np.concatenate([newer.ids, removed]))
        older = TableState(
            self.ids[kept], self.records[kept], self.times[kept], newer.steps, newer.candidates
        )
        return TableState.joined([older, newer])

    @classmethod
    def joined(cls, parts: Sequence[TableState]) -> TableState:
        """Return different rows in one; steps and candidates are the last part's."""
        return cls(
            np.concatenate([part.ids for part in parts]),
            np.concatenate([part.records for part in parts]),
            np.concatenate([part.times for part in parts]),
            parts[-1].steps,
            parts[-1].candidates,
        )

    def fitted(self, slot: str, before: SlotSettings, now: SlotSettings) -> TableState:
        """Return the rows under other settings of their slot.

        Old columns keep their values and optimizer state; new ones begin at the id's initial values. Another
        optimizer begins anew.
        """
        if (before.dimension, before.optimizer) == (now.dimension, now.optimizer):
            return self
        num, shared = len(self.ids), min(before.dimension, now.dimension)
        values = initial_rows(self.ids, now.dimension, now.initial_scale, slot)
        values[:, :shared] = self.records[:, :shared]
        state = np.tile(initial_state(now), (num, 1))
        if before.optimizer == now.optimizer:
            old_state = self.records[:, before.dimension :]
            lead, per_column = _state_shape(now)
            state[:, :lead] = old_state[:, :lead]
            old_parts = old_state[:, lead:].reshape(num, per_column, before.dimension)
            parts = state[:, lead:].reshape(num, per_column, now.dimension)
            parts[:, :, :shared] = old_parts[:, :, :shared]
            state = np.concatenate([state[:, :lead], parts.reshape(num, -1)], axis=1)
        records = np.concatenate([values, state], axis=1).astype(np.float32)
        return TableState(self.ids, records, self.times, self.steps, self.candidates)


def without(ids: IdArray, excluded: IdArray) -> BoolArray:
    """Say which ids are not among the excluded ones, bool [m]."""
    index = CuckooIndex(capacity=len(excluded))
    index.find_or_insert(excluded)
    kept: BoolArray = index.find(ids) < 0
    return kept


def _state_shape(settings: SlotSettings) -> tuple[int, int]:
    """Return how many numbers of state a row has, and how many each of its columns has besides."""
    width = state_width(settings)
    lead = 1 if settings.optimizer in ("rowwise_adagrad", "adam") else 0
    return lead, (width - lead) // settings.dimension
