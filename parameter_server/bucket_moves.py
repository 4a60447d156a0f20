"""How buckets leave one shard and come to another: what a group does for it.

Rows of a bucket move with the positions it stands at, so an update that comes to its new home next finds it
just where its old home left it (Flink moves its key groups so).
"""

from __future__ import annotations

import dataclasses

import numpy as np

from messages.arrays import BoolArray
from messages.identifiers import NUM_BUCKETS
from parameter_server.counter_table import counters_of_buckets
from parameter_server.dense_parameters import bucket_of_dense
from parameter_server.group_state import GroupState
from parameter_server.positions import BucketPositions
from parameter_server.table_group import TableGroup


def export_from(group: TableGroup, wanted: BoolArray) -> GroupState:
    """Return a copy of what some buckets hold. wanted: bool [NUM_BUCKETS]."""
    state = group.state_with(
        {slot: table.state_of_buckets(wanted) for slot, table in group.tables.items()},
        {name: dense for name, dense in group.dense.states().items() if wanted[bucket_of_dense(name)]},
        None if group.counters is None else counters_of_buckets(group.counters.all_rows(), wanted),
    )
    return dataclasses.replace(state, positions=state.positions.of_buckets(wanted))


def stands_at(group: TableGroup, positions: BucketPositions) -> bool:
    """Say whether these buckets stand where they are said to."""
    wanted = np.zeros(NUM_BUCKETS, dtype=np.bool_)
    wanted[positions.buckets] = True
    here = group.ledger.positions.of_buckets(wanted)
    return np.array_equal(here.examples, positions.examples)


def drop_from(group: TableGroup, wanted: BoolArray) -> None:
    """Forget what some buckets hold, without tombstones: it lives on elsewhere."""
    for table in group.tables.values():
        gone = table.state_of_buckets(wanted)
        table.erase(gone.ids)
        table.forget_candidates(gone.candidates.ids)
    for name in group.dense.states():
        if wanted[bucket_of_dense(name)]:
            group.dense.drop(name)
    if group.counters is not None:
        group.counters.erase(counters_of_buckets(group.counters.all_rows(), wanted).ids)
    group.ledger.drop(wanted)
    _share_out(group)


def import_into(group: TableGroup, state: GroupState) -> None:
    """Take over the buckets of another shard, hosted here by now and of the same layout."""
    group.ledger.add(state.positions.buckets)
    group.load(state)
    _share_out(group)


def _share_out(group: TableGroup) -> None:
    for table in group.tables.values():
        table.share = len(group.ledger.positions.buckets) / NUM_BUCKETS
