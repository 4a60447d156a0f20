"""Shards' deltas become one for the replicas, and the user rows go their own way."""

from __future__ import annotations

import dataclasses

import numpy as np

from actors.delta_assembly import has_news, is_worth_sending, merge_shard_deltas, seconds_to_heartbeat
from messages.impressions import ModelVersion
from messages.updates import COUNTERS_GROUP, CounterRows, ModelDelta, Position, Rows, ShardDelta

NO_IDS = np.empty(0, dtype=np.uint64)


def rows(*ids: int) -> Rows:
    keys = np.array(ids, dtype=np.uint64)
    return Rows(keys, np.ones((len(ids), 2), dtype=np.float32))


def shard_delta(group: str = "production", position: int = 5, **parts: object) -> ShardDelta:
    base = ShardDelta(
        group=group,
        incarnation="x",
        from_version=0,
        to_version=1,
        full=False,
        rows={},
        removed={},
        dense={},
        counters=None,
        positions={0: Position(position, position * 10, float(position))},
    )
    return dataclasses.replace(base, **parts)


def merged(*deltas: ShardDelta, created_at: float = 0.0) -> tuple[ModelDelta, dict[str, Rows]]:
    return merge_shard_deltas(
        list(enumerate(deltas)),
        user_slots=("user",),
        full=False,
        version=ModelVersion("production", "a", 1),
        previous=0,
        contents=None,
        removed_contents=NO_IDS,
        created_at=created_at,
    )


def test_rows_of_all_shards_are_put_together_and_user_rows_kept_apart() -> None:
    delta, user_rows = merged(
        shard_delta(rows={"content": rows(1, 2), "user": rows(7)}),
        shard_delta(rows={"content": rows(3)}, removed={"content": np.array([9], dtype=np.uint64)}),
        shard_delta(COUNTERS_GROUP, counters=CounterRows.zeros(np.array([4], dtype=np.uint64))),
    )
    assert delta.rows["content"].ids.tolist() == [1, 2, 3]
    assert "user" not in delta.rows
    assert user_rows["user"].ids.tolist() == [7]
    assert delta.removed["content"].tolist() == [9]
    assert delta.counters is not None
    assert delta.counters.ids.tolist() == [4]


def test_a_partition_is_learned_as_far_as_the_shard_furthest_behind_whatever_the_counters_say() -> None:
    delta, _ = merged(
        shard_delta(position=5), shard_delta(position=3), shard_delta(COUNTERS_GROUP, position=1)
    )
    assert delta.positions[0] == Position(3, 30, 3.0)


def test_without_news_nothing_is_sent_until_a_second_has_passed() -> None:
    before, _ = merged(shard_delta())
    same, _ = merged(shard_delta(), created_at=0.5)
    later, _ = merged(shard_delta(), created_at=1.0)
    moved, _ = merged(shard_delta(position=6), created_at=0.5)
    assert is_worth_sending(before, None)
    assert not is_worth_sending(same, before)
    assert is_worth_sending(later, before)
    assert is_worth_sending(moved, before)
    assert [has_news(delta, before) for delta in (same, later, moved)] == [False, False, True]


def test_the_next_heartbeat_comes_a_second_after_the_last_delta_also_where_the_clock_went_back() -> None:
    last, _ = merged(shard_delta(), created_at=10.0)
    assert seconds_to_heartbeat(None, 10.0) == 0.0
    assert [seconds_to_heartbeat(last, now) for now in (10.0, 10.25, 12.0, 3.0)] == [1.0, 0.75, -1.0, 1.0]
