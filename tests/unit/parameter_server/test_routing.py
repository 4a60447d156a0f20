"""Cutting for the shards and putting together again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.identifiers import NUM_BUCKETS, buckets_of
from messages.updates import (
    COUNTERS_GROUP,
    CounterRows,
    PullRequest,
    RowGradients,
    Rows,
    Span,
    Update,
)
from parameter_server.routing import ShardRouter, assign_buckets
from parameter_server.settings import GroupSettings, SlotSettings
from parameter_server.shard import ParameterShard

SETTINGS = GroupSettings(
    slots={"user": SlotSettings(dimension=2), "content": SlotSettings(dimension=3)}, num_partitions=1
)
COUNTERS = GroupSettings(num_partitions=1, counters=True)
WEIGHTS = {f"layer-{layer}": np.full(2, layer, dtype=np.float32) for layer in range(6)}

id_arrays = st.lists(st.integers(0, 2**64 - 1), max_size=30, unique=True).map(
    lambda ids: np.array(ids, dtype=np.uint64)
)


def test_every_bucket_has_a_shard_and_every_shard_buckets() -> None:
    assignment = assign_buckets(5)
    assert assignment.shape == (NUM_BUCKETS,)
    assert np.bincount(assignment, minlength=5).min() > 20


def test_one_shard_more_takes_buckets_only_for_itself() -> None:
    before, after = assign_buckets(4), assign_buckets(5)
    assert set(after[before != after].tolist()) == {4}


def test_the_assignment_never_changes_between_releases() -> None:
    assert assign_buckets(3)[:12].tolist() == [2, 1, 0, 0, 1, 2, 0, 2, 2, 1, 2, 0]


def cluster(num_shards: int) -> tuple[ShardRouter, dict[int, ParameterShard]]:
    router = ShardRouter(assign_buckets(num_shards))
    shards = {
        shard: ParameterShard(shard, router.buckets_of_shard(shard), f"life-of-{shard}")
        for shard in router.shards
    }
    for shard in shards.values():
        shard.create_group("model", SETTINGS, WEIGHTS)
        shard.create_group(COUNTERS_GROUP, COUNTERS, {})
    return router, shards


def push(router: ShardRouter, shards: dict[int, ParameterShard], update: Update) -> None:
    for shard, part in router.split_update(update).items():
        shards[shard].apply_update(part)


@given(users=id_arrays, contents=id_arrays, num_shards=st.integers(2, 5))
def test_many_shards_answer_as_one_would(users: np.ndarray, contents: np.ndarray, num_shards: int) -> None:
    spans = {0: Span(0, 1, 1, 1.0, 1)}
    rows = {
        "user": RowGradients(users, np.outer(np.arange(len(users)), [1, -1]).astype(np.float32), users),
    }
    births = {"content": Rows(contents, np.outer(np.arange(len(contents)), [1, 2, 3]).astype(np.float32))}
    increments = CounterRows.zeros(contents)
    increments.totals[:, 0] = np.arange(len(contents))
    request = PullRequest(
        "model", {"user": users, "content": contents}, dense_newer_than=-1, counter_ids=contents
    )
    answers = []
    for size in (1, num_shards):
        router, shards = cluster(size)
        push(router, shards, Update("model", 1, spans, rows, births, dense=WEIGHTS))
        push(router, shards, Update(COUNTERS_GROUP, 1, spans, counters=increments))
        parts = router.split_pull(request)
        answers.append(
            router.merge_pull(request, {shard: shards[shard].pull(part) for shard, part in parts.items()})
        )
        for shard in shards.values():
            assert shard.positions("model").examples.min() == 1
    one, many = answers
    for slot in one.values:
        assert np.array_equal(one.values[slot], many.values[slot])
    assert one.dense.keys() == many.dense.keys() == WEIGHTS.keys()
    assert all(np.array_equal(one.dense[name], many.dense[name]) for name in WEIGHTS)
    assert one.counters is not None
    assert many.counters is not None
    assert np.array_equal(one.counters.totals, many.counters.totals)


@given(ids=id_arrays)
def test_each_row_goes_to_the_shard_of_its_bucket_and_to_no_other(ids: np.ndarray) -> None:
    router = ShardRouter(assign_buckets(3))
    gradients = RowGradients(ids, np.zeros((len(ids), 2), dtype=np.float32), ids)
    parts = router.split_update(Update("model", 1, {0: Span(0, 1, 1, 1.0, 1)}, rows={"user": gradients}))
    assert parts.keys() == {0, 1, 2}
    sent = []
    for shard, part in parts.items():
        assert part.spans == {0: Span(0, 1, 1, 1.0, 1)}
        if "user" in part.rows:
            sent.extend(part.rows["user"].ids.tolist())
            assert (assign_buckets(3)[buckets_of(part.rows["user"].ids)] == shard).all()
    assert sorted(sent) == sorted(ids.tolist())


def test_shards_of_which_nothing_is_wanted_are_not_asked_but_one_always_is() -> None:
    router = ShardRouter(assign_buckets(4))
    one_id = np.array([12], dtype=np.uint64)
    owner = int(assign_buckets(4)[buckets_of(one_id)[0]])
    assert router.split_pull(PullRequest("model", {"user": one_id})).keys() == {owner}
    assert len(router.split_pull(PullRequest("model", {"user": one_id[:0]}))) == 1
    assert len(router.split_pull(PullRequest("model", {}, dense_newer_than=3))) == 4


def test_each_shard_is_asked_for_dense_weights_newer_than_its_own_version() -> None:
    router = ShardRouter(assign_buckets(3))
    parts = router.split_pull(PullRequest("model", {}, dense_newer_than=-1), dense_versions={0: 4, 1: 9})
    assert [parts[shard].dense_newer_than for shard in (0, 1, 2)] == [4, 9, -1]


def test_a_router_needs_a_shard_for_every_bucket() -> None:
    with pytest.raises(ValueError, match="256"):
        ShardRouter(np.zeros(3, dtype=np.int64))
