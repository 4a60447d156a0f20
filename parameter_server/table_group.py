"""One group on one shard: its tables, dense weights, counters, positions, and the log of what changed."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from messages.arrays import BoolArray, FloatArray, IdArray, IntArray
from messages.identifiers import NUM_BUCKETS, key_of
from messages.updates import CounterRows, ShardDelta, Update, UpdateOutcome
from parameter_server.counter_table import CounterTable
from parameter_server.dense_parameters import DenseParameters, DenseState, bucket_of_dense
from parameter_server.embedding_table import EmbeddingTable, TableState
from parameter_server.group_state import GroupState
from parameter_server.positions import PositionLedger
from parameter_server.removal_log import RemovalLog
from parameter_server.routing import update_of_buckets
from parameter_server.row_storage import NEWEST_VERSION
from parameter_server.row_table import time_word
from parameter_server.settings import GroupSettings
from parameter_server.update_checks import check_update


class TableGroup:
    """The part of one group whose rows belong to `buckets`; its version rises with every change."""

    def __init__(self, name: str, settings: GroupSettings, buckets: IntArray, hosted: BoolArray) -> None:
        self.name = name
        self.settings = settings
        self.version = 0
        self.ledger = PositionLedger(buckets, settings.num_partitions)
        self.clock = 0
        """Stream time, epoch seconds: the newest of all updates. Expiry and recency go by it."""
        share = len(buckets) / NUM_BUCKETS
        self.tables = {slot: EmbeddingTable(slot, of_slot, share) for slot, of_slot in settings.slots.items()}
        self.dense = DenseParameters(settings.dense)
        self.counters = CounterTable() if settings.counters else None
        self._hosted = hosted
        self._removals = {slot: RemovalLog() for slot in settings.slots}
        self._oldest_version = 0
        self._outcomes: Counter[UpdateOutcome] = Counter()

    def use(self, settings: GroupSettings) -> None:
        """Go on with other rates and bounds. Raises ValueError where the layout differs."""
        if not self.settings.has_same_layout(settings):
            raise ValueError(
                f"group {self.name!r} exists with another layout: {self.settings}, not {settings}"
            )
        self.settings = settings
        self.dense.settings = settings.dense
        for slot, table in self.tables.items():
            table.use(settings.slots[slot])

    def begin_dense(self, weights: Mapping[str, FloatArray]) -> None:
        """Take first values of hosted dense arrays; those that are there already stay. Raises ValueError."""
        for name, values in weights.items():
            if not self._hosted[bucket_of_dense(name)]:
                continue
            if name not in self.dense:
                self.dense.put(name, DenseState.beginning(values), self.version)
            elif self.dense.shape_of(name) != np.shape(values):
                shape = self.dense.shape_of(name)
                raise ValueError(f"{name!r} of group {self.name!r} has shape {shape}, not {np.shape(values)}")

    def read(self, ids: Mapping[str, IdArray]) -> dict[str, FloatArray]:
        """Return the values of rows per slot. Raises ValueError for a slot that the group does not have."""
        unknown = ids.keys() - self.tables.keys()
        if unknown:
            raise ValueError(f"group {self.name!r} has no slots {sorted(unknown)}")
        return {slot: self.tables[slot].read(of_slot) for slot, of_slot in ids.items()}

    def apply(self, update: Update) -> UpdateOutcome:
        """Apply an update whole and exactly once, or say why not. Raises ValueError for a bad one.

        Births come first: a content that is new in this batch begins from its features, and gradients for it
        in the same batch move it from there.
        """
        outcome = self._judge(update)
        if outcome is UpdateOutcome.APPLIED:
            check_update(update, self.settings, self.dense, self._hosted)
            waiting = self.ledger.waiting_for(update.spans)
            if not waiting.all():
                update = update_of_buckets(update, self.ledger.positions.buckets[waiting])
            self._apply_parts(update)
            self.ledger.advance(update.spans, waiting)
        self._outcomes[outcome] += 1
        return outcome

    def _apply_parts(self, update: Update) -> None:
        if self.version >= NEWEST_VERSION:
            raise OverflowError(f"group {self.name!r} has no version left: begin a new lineage")
        self.version += 1
        self.clock = max(self.clock, time_word(update.stream_time))
        draw = _draw_of(update)
        for slot, births in update.births.items():
            self.tables[slot].give_birth(births, self.version, time=self.clock)
        for slot, gradients in update.rows.items():
            self.tables[slot].apply(
                gradients, self.version, update.learning_rate_scale, time=self.clock, draw=draw
            )
        self.dense.apply(update.dense, self.version, update.learning_rate_scale)
        if update.counters is not None and self.counters is not None:
            self.counters.add(update.counters, self.version, time=self.clock)
        for slot, table in self.tables.items():
            self._note_removals(slot, table.retire(self.clock))

    def _note_removals(self, slot: str, gone: IdArray) -> None:
        if len(gone):
            self._removals[slot].append(gone, self.version)

    def _judge(self, update: Update) -> UpdateOutcome:
        if self.ledger.is_stale(update.epoch, update.spans):
            return UpdateOutcome.STALE_EPOCH
        self.ledger.remember(update.epoch, update.spans)
        return self.ledger.outcome_of(update.spans)

    def erase(self, ids: Mapping[str, IdArray]) -> dict[str, int]:
        """Forget rows and their optimizer state, leaving tombstones; return how many, by slot."""
        self.version += 1
        erased = {}
        for slot, of_slot in ids.items():
            gone = self.tables[slot].erase(of_slot)
            self._note_removals(slot, gone)
            erased[slot] = len(gone)
        return erased

    def delta_since(self, version: int, incarnation: str, *, same_incarnation: bool) -> ShardDelta:
        """Return what changed after `version`, or everything where that cannot be told any more."""
        full = not same_incarnation or version < self._oldest_version or not self.knows_changes_since(version)
        removed = {} if full else self.removed_since(version)
        return ShardDelta(
            group=self.name,
            incarnation=incarnation,
            from_version=-1 if full else version,
            to_version=self.version,
            full=full,
            rows={
                slot: table.all_rows() if full else table.changed_since(version)
                for slot, table in self.tables.items()
            },
            removed={slot: gone for slot, gone in removed.items() if len(gone)},
            dense=self.dense.newer_than(-1 if full else version),
            counters=self._counters_since(None if full else version),
            positions=self.ledger.positions.lowest(),
        )

    def knows_changes_since(self, version: int) -> bool:
        """Say whether everything that was removed after a version is still known."""
        return 0 <= version <= self.version and all(log.reaches(version) for log in self._removals.values())

    def removed_since(self, version: int) -> dict[str, IdArray]:
        """Return, by slot, the ids removed after a version that have not come back, uint64 [m]."""
        removed = {}
        for slot, table in self.tables.items():
            ids = self._removals[slot].ids_since(version)
            removed[slot] = ids[~table.holds(ids)]
        return removed

    def _counters_since(self, version: int | None) -> CounterRows | None:
        if self.counters is None:
            return None
        return self.counters.all_rows() if version is None else self.counters.changed_since(version)

    def state(self) -> GroupState:
        """Return a copy of everything."""
        return self.state_with(
            {slot: table.state() for slot, table in self.tables.items()},
            self.dense.states(),
            None if self.counters is None else self.counters.all_rows(),
        )

    def state_since(self, version: int) -> GroupState:
        """Return a copy of what changed after a version; ask `knows_changes_since` first."""
        state = self.state_with(
            {slot: table.state_since(version) for slot, table in self.tables.items()},
            self.dense.states(version),
            None if self.counters is None else self.counters.changed_since(version),
        )
        return dataclasses.replace(state, since=version, removed=self.removed_since(version))

    def state_with(
        self,
        slots: Mapping[str, TableState],
        dense: Mapping[str, DenseState],
        counters: CounterRows | None,
    ) -> GroupState:
        """Return a state of these parts and a copy of the rest."""
        return GroupState(
            settings=self.settings,
            version=self.version,
            positions=self.ledger.positions.copy(),
            epochs=self.ledger.epochs.copy(),
            clock=self.clock,
            slots=slots,
            dense=dense,
            counters=counters,
        )

    def load(self, state: GroupState) -> None:
        """Take over the buckets of a saved state, all hosted here and empty.

        Readers of deltas start again with everything.
        """
        self.version = self._oldest_version = max(self.version, state.version) + 1
        self.clock = max(self.clock, state.clock)
        for slot, table in state.slots.items():
            self.tables[slot].load(table)
        for name, dense in state.dense.items():
            self.dense.put(name, dense, self.version)
        if state.counters is not None and self.counters is not None:
            self.counters.load(state.counters)
        self.ledger.load(state.positions, state.epochs)

    def statistics(self) -> dict[str, Any]:
        tables = {slot: table.statistics() for slot, table in self.tables.items()}
        if self.counters is not None:
            tables["counters"] = {"rows": len(self.counters), "bytes": self.counters.num_bytes}
        return {
            "version": self.version,
            "stream_time": self.clock,
            "tables": tables,
            "dense": {"weights": self.dense.num_weights, "bytes": self.dense.num_bytes},
            "examples_applied": [int(count) for count in self.ledger.positions.examples_applied()],
            "outcomes": {str(outcome): count for outcome, count in self._outcomes.items()},
        }


def _draw_of(update: Update) -> int:
    """Name an update's place in the stream, for draws that must come out the same when it is read again."""
    return key_of(
        ",".join(f"{partition}:{update.spans[partition].end}" for partition in sorted(update.spans))
    )
