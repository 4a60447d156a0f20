"""Everything one group holds on one shard, as plain arrays: what a snapshot stores and a move carries."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from messages.arrays import BoolArray, IdArray, IntArray
from messages.updates import CounterRows
from parameter_server.counter_table import counters_of_buckets
from parameter_server.dense_parameters import DenseState, bucket_of_dense
from parameter_server.positions import BucketPositions
from parameter_server.settings import GroupSettings
from parameter_server.table_state import TableState, without


@dataclass(frozen=True, slots=True)
class GroupState:
    """Rows, optimizer state, counters and the positions they stand at; all of them, or what changed.

    version: of the group on its shard. since: -1 if this is everything, else the version after which these
    rows and dense weights changed, and `removed` ones (ids per slot) went; positions and candidates are
    always whole. positions: of all buckets held. epochs: highest owner epoch seen, int64 [P]. clock: stream
    time, epoch seconds. counters: None where the group keeps none.
    """

    settings: GroupSettings
    version: int
    positions: BucketPositions
    epochs: IntArray
    clock: int
    slots: Mapping[str, TableState]
    dense: Mapping[str, DenseState]
    counters: CounterRows | None
    since: int = -1
    removed: Mapping[str, IdArray] = field(default_factory=dict)

    @property
    def num_rows(self) -> int:
        counters = 0 if self.counters is None else len(self.counters)
        return counters + sum(len(table.ids) for table in self.slots.values())

    def of_buckets(self, wanted: BoolArray) -> GroupState:
        """Return what belongs to wanted buckets. wanted: bool [NUM_BUCKETS]."""
        return dataclasses.replace(
            self,
            positions=self.positions.of_buckets(wanted),
            slots={slot: table.of_buckets(wanted) for slot, table in self.slots.items()},
            dense={name: state for name, state in self.dense.items() if wanted[bucket_of_dense(name)]},
            counters=None if self.counters is None else counters_of_buckets(self.counters, wanted),
        )

    def changed_by(self, newer: GroupState) -> GroupState:
        """Return this state after later changes. Raises ValueError if some in between are missing."""
        if not newer.since <= self.version <= newer.version:
            raise ValueError(f"changes since version {newer.since} on a state of version {self.version}")
        nothing = np.empty(0, dtype=np.uint64)
        return dataclasses.replace(
            newer,
            since=self.since,
            slots={
                slot: table.changed_by(newer.slots[slot], newer.removed.get(slot, nothing))
                for slot, table in self.slots.items()
            },
            dense={**self.dense, **newer.dense},
            counters=_changed_counters(self.counters, newer.counters),
            removed={}
            if self.since < 0
            else {
                slot: np.union1d(self.removed.get(slot, nothing), newer.removed.get(slot, nothing))
                for slot in {*self.removed, *newer.removed}
            },
        )

    def fitted(self, settings: GroupSettings) -> GroupState:
        """Return this state under other settings: slots may have other dimensions, come, or go.

        Raises ValueError where partitions or counters differ.
        """
        before = self.settings
        if (before.num_partitions, before.counters) != (settings.num_partitions, settings.counters):
            raise ValueError("the number of partitions and the counters of a group cannot change")
        return dataclasses.replace(
            self,
            settings=settings,
            slots={
                slot: self.slots[slot].fitted(slot, before.slots[slot], of_slot)
                for slot, of_slot in settings.slots.items()
                if slot in self.slots
            },
        )


def _changed_counters(older: CounterRows | None, newer: CounterRows | None) -> CounterRows | None:
    if older is None or newer is None:
        return newer
    return joined_counters([older.take(np.flatnonzero(without(older.ids, newer.ids))), newer])


def joined_counters(parts: Sequence[CounterRows]) -> CounterRows:
    """Return counters of different contents in one."""
    return CounterRows(
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.totals for part in parts]),
        np.concatenate([part.decayed for part in parts]),
        np.concatenate([part.times for part in parts]),
    )
