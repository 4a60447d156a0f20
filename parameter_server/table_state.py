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
        return TableState.overlaid([self], newer, removed)

    @classmethod
    def overlaid(cls, parts: Sequence[TableState], newer: TableState, removed: IdArray) -> TableState:
        """Return parts with the rows of a later state written over them, and removed ones gone.

        Part by part, since numpy lets no other thread run while it copies rows.
        """
        replaced = CuckooIndex(capacity=len(newer.ids) + len(removed))
        replaced.find_or_insert(newer.ids)
        replaced.find_or_insert(removed)
        kept = []
        for part in parts:
            stays = np.flatnonzero(replaced.find(part.ids) < 0)
            kept.append(
                part
                if len(stays) == len(part.ids)
                else TableState(
                    part.ids[stays], part.records[stays], part.times[stays], part.steps, part.candidates
                )
            )
        return cls.joined([*kept, newer])

    @classmethod
    def joined(cls, parts: Sequence[TableState]) -> TableState:
        """Return different rows in one; steps and candidates are the last part's."""
        last = parts[-1]
        ends = np.cumsum([len(part.ids) for part in parts])
        ids = np.empty(ends[-1], dtype=np.uint64)
        records = np.empty((ends[-1], last.records.shape[1]), dtype=np.float32)
        times = np.empty(ends[-1], dtype=np.int64)
        for part, end in zip(parts, ends.tolist(), strict=True):
            place = slice(end - len(part.ids), end)
            ids[place], records[place], times[place] = part.ids, part.records, part.times
        return cls(ids, records, times, last.steps, last.candidates)

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
