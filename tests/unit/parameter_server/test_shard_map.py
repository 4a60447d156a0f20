"""The map of shards: settled or with moves left, and what a start makes of an old one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.codec import pack, unpack
from parameter_server.routing import assign_buckets
from parameter_server.shard_map import BucketMove, ShardMap

counts = st.integers(1, 9)


@given(before=counts, after=counts)
def test_moves_lead_to_the_goal_and_only_buckets_that_must_move_do(before: int, after: int) -> None:
    shard_map = ShardMap.beginning(before).with_goal(after)
    moves = shard_map.moves()
    assert sum(len(move.buckets) for move in moves) == (assign_buckets(before) != assign_buckets(after)).sum()
    for move in moves:
        assert not shard_map.is_settled
        shard_map = shard_map.moved(move)
    assert shard_map.is_settled
    assert shard_map.shards == list(range(after))
    assert shard_map.generation == 1 + len(moves)


@given(before=counts, goal=counts, again=counts, done=st.integers(0, 5))
def test_a_goal_changed_on_the_way_is_reached_from_where_the_buckets_lie(
    before: int, goal: int, again: int, done: int
) -> None:
    shard_map = ShardMap.beginning(before).with_goal(goal)
    for move in shard_map.moves()[:done]:
        shard_map = shard_map.moved(move)
    shard_map = shard_map.with_goal(again)
    for move in shard_map.moves():
        shard_map = shard_map.moved(move)
    assert shard_map.is_settled
    assert np.array_equal(shard_map.homes, assign_buckets(again))


def test_a_bucket_moves_from_where_it_is() -> None:
    shard_map = ShardMap.beginning(2)
    with pytest.raises(ValueError, match="not all of 3 buckets are at shard 1"):
        shard_map.moved(BucketMove(1, 2, shard_map.buckets_of(0)[:3]))


def test_a_start_goes_on_with_the_last_scaling_unless_the_settings_changed_since() -> None:
    scaled = ShardMap.beginning(2).with_goal(3)
    again = scaled.started_with(2)
    assert (again.goal, again.is_settled, again.generation) == (3, True, 2)
    assert again.started_with(2).generation == 2
    changed = again.started_with(4)
    assert (changed.goal, changed.configured, changed.is_settled, changed.generation) == (4, 4, True, 3)


def test_the_map_survives_the_wire() -> None:
    shard_map = ShardMap.beginning(3).with_goal(2)
    read = ShardMap.from_wire(unpack(pack(shard_map.to_wire())))
    assert read.to_wire() == shard_map.to_wire()
    with pytest.raises(ValueError, match="a map of 3 buckets"):
        ShardMap.from_wire(shard_map.to_wire() | {"homes": [0, 0, 0]})
