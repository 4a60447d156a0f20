"""Everything one group holds on one shard, as plain arrays: what a snapshot stores and a move carries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from messages.arrays import BoolArray, IntArray
from messages.updates import CounterRows
from parameter_server.counter_table import counters_of_buckets
from parameter_server.dense_parameters import DenseState, bucket_of_dense
from parameter_server.embedding_table import TableState
from parameter_server.positions import BucketPositions
from parameter_server.settings import GroupSettings


@dataclass(frozen=True, slots=True)
class GroupState:
    """Rows, optimizer state, counters and the positions they stand at.

    version: of the group on its shard. positions: of all buckets held. epochs: highest owner epoch seen,
    int64 [P]. counters: None where the group keeps none.
    """

    settings: GroupSettings
    version: int
    positions: BucketPositions
    epochs: IntArray
    slots: Mapping[str, TableState]
    dense: Mapping[str, DenseState]
    counters: CounterRows | None

    @property
    def num_rows(self) -> int:
        counters = 0 if self.counters is None else len(self.counters)
        return counters + sum(len(table.ids) for table in self.slots.values())

    def of_buckets(self, wanted: BoolArray) -> GroupState:
        """Return what belongs to wanted buckets. wanted: bool [NUM_BUCKETS]."""
        return GroupState(
            settings=self.settings,
            version=self.version,
            positions=self.positions.of_buckets(wanted),
            epochs=self.epochs,
            slots={slot: table.of_buckets(wanted) for slot, table in self.slots.items()},
            dense={name: state for name, state in self.dense.items() if wanted[bucket_of_dense(name)]},
            counters=None if self.counters is None else counters_of_buckets(self.counters, wanted),
        )
