"""ParameterShard: reading, refusing, and telling any reader what changed."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from messages.identifiers import NUM_BUCKETS, buckets_of
from messages.updates import (
    COUNTERS_GROUP,
    CounterRows,
    Position,
    PullRequest,
    RowGradients,
    Rows,
    Span,
    Update,
    UpdateOutcome,
)
from parameter_server.dense_parameters import bucket_of_dense
from parameter_server.initializers import initial_rows
from parameter_server.settings import DenseSettings, GroupSettings, SlotSettings
from parameter_server.shard import ParameterShard, UnknownGroupError

MODEL = GroupSettings(
    slots={
        "user": SlotSettings(dimension=2, optimizer="sgd", learning_rate=1.0),
        "content": SlotSettings(dimension=3),
    },
    num_partitions=2,
)
WEIGHTS = {"bias": np.zeros(2, dtype=np.float32), "layer": np.ones((2, 2), dtype=np.float32)}
IDS = np.arange(1, 6, dtype=np.uint64)


def new_shard(buckets: np.ndarray | None = None) -> ParameterShard:
    shard = ParameterShard(0, np.arange(NUM_BUCKETS) if buckets is None else buckets, "first-life")
    shard.create_group("model", MODEL, WEIGHTS)
    shard.create_group(COUNTERS_GROUP, GroupSettings(num_partitions=2, counters=True), {})
    return shard


def gradients(ids: np.ndarray, dimension: int = 2) -> RowGradients:
    return RowGradients(
        ids, np.ones((len(ids), dimension), dtype=np.float32), np.ones(len(ids), dtype=np.uint32)
    )


def update(start: int, end: int, **parts: Any) -> Update:
    return Update(parts.pop("group", "model"), 1, {0: Span(start, end, end, float(end), 10)}, **parts)


def users(shard: ParameterShard, ids: np.ndarray = IDS) -> np.ndarray:
    return shard.pull(PullRequest("model", {"user": ids})).values["user"]


def test_a_pull_inserts_nothing() -> None:
    shard = new_shard()
    assert np.array_equal(users(shard), initial_rows(IDS, 2, 0.01, "user"))
    assert shard.statistics()["groups"]["model"]["tables"]["user"]["rows"] == 0


def test_a_pull_brings_counters_of_their_own_group_along() -> None:
    shard = new_shard()
    increments = CounterRows.zeros(IDS[:1])
    increments.totals[:] = 2
    shard.apply_update(update(0, 1, group=COUNTERS_GROUP, counters=increments))
    reply = shard.pull(PullRequest("model", {}, counter_ids=IDS[:2]))
    assert reply.counters is not None
    assert reply.counters.totals[:, 0].tolist() == [2, 0]
    assert reply.version == 0


def test_dense_weights_come_once_to_a_reader_that_names_its_version() -> None:
    shard = new_shard()
    assert shard.pull(PullRequest("model", {})).dense == {}
    assert shard.pull(PullRequest("model", {}, dense_newer_than=-1)).dense.keys() == WEIGHTS.keys()
    reply = shard.apply_update(update(0, 1, dense={"bias": np.ones(2, dtype=np.float32)}))
    assert shard.pull(PullRequest("model", {}, dense_newer_than=0)).dense.keys() == {"bias"}
    assert shard.pull(PullRequest("model", {}, dense_newer_than=reply.version)).dense == {}


def test_an_update_sent_twice_counts_once() -> None:
    shard = new_shard()
    sent = update(0, 1, rows={"user": gradients(IDS)})
    assert shard.apply_update(sent).outcome is UpdateOutcome.APPLIED
    once = users(shard)
    again = shard.apply_update(sent)
    assert (again.outcome, again.version) == (UpdateOutcome.DUPLICATE, 1)
    assert np.array_equal(users(shard), once)
    assert shard.statistics()["groups"]["model"]["examples_applied"] == [10, 0]


def test_a_later_owner_fences_off_an_earlier_one_even_by_a_refused_update() -> None:
    shard = new_shard()
    ahead = dataclasses.replace(update(7, 8), epoch=2)
    assert shard.apply_update(ahead).outcome is UpdateOutcome.BEHIND
    assert shard.apply_update(update(0, 1)).outcome is UpdateOutcome.STALE_EPOCH


def test_a_birth_gives_a_first_value_only_where_there_is_no_row() -> None:
    shard = new_shard()
    shard.apply_update(update(0, 1, rows={"user": gradients(IDS[:1])}))
    known = users(shard, IDS[:1])
    values = np.full((2, 2), 0.7, dtype=np.float32)
    shard.apply_update(update(1, 2, births={"user": Rows(IDS[:2], values)}))
    assert np.array_equal(users(shard, IDS[:2]), [known[0], values[1]])


def test_gradients_of_the_batch_that_bears_a_row_move_it_from_its_birth() -> None:
    shard = new_shard()
    birth = Rows(IDS[:1], np.full((1, 2), 5.0, dtype=np.float32))
    shard.apply_update(update(0, 1, births={"user": birth}, rows={"user": gradients(IDS[:1])}))
    assert users(shard, IDS[:1]).tolist() == [[4.0, 4.0]]


BAD = {
    "unknown slot": {"rows": {"creator": gradients(IDS)}},
    "wrong dimension": {"rows": {"user": gradients(IDS, 3)}},
    "not finite": {"rows": {"user": RowGradients(IDS[:1], np.array([[1, np.nan]], np.float32), IDS[:1])}},
    "infinite birth": {"births": {"user": Rows(IDS[:1], np.full((1, 2), np.inf, dtype=np.float32))}},
    "unknown dense": {"dense": {"head": np.zeros(2, dtype=np.float32)}},
    "dense shape": {"dense": {"bias": np.zeros(3, dtype=np.float32)}},
    "no counters here": {"counters": CounterRows.zeros(IDS)},
    "learning rate": {"learning_rate_scale": float("nan")},
}


@pytest.mark.parametrize("parts", BAD.values(), ids=BAD.keys())
def test_an_update_that_could_never_be_applied_changes_nothing(parts: dict[str, Any]) -> None:
    shard = new_shard()
    good = {"rows": {"content": gradients(IDS, 3)}, "dense": {"layer": np.ones((2, 2), dtype=np.float32)}}
    merged = {name: {**good.get(name, {}), **part} if name in good else part for name, part in parts.items()}
    with pytest.raises(ValueError, match=r".+"):
        shard.apply_update(update(0, 1, **{**good, **merged}))
    delta = shard.deltas_since("model", 0, "first-life")
    assert delta.to_version == 0
    assert not any(len(rows) for rows in delta.rows.values())
    assert shard.positions("model").examples.sum() == 0


def test_rows_of_other_shards_are_refused() -> None:
    stray = np.array([bucket for bucket in range(NUM_BUCKETS) if bucket != buckets_of(IDS)[2]])
    shard = new_shard(stray)
    with pytest.raises(ValueError, match="id 3 belongs to a bucket of another shard"):
        shard.apply_update(update(0, 1, rows={"user": gradients(IDS)}))
    with pytest.raises(ValueError, match="id 3 belongs to a bucket of another shard"):
        users(shard)


def test_only_dense_weights_of_hosted_buckets_are_kept() -> None:
    shard = new_shard(np.array([bucket_of_dense("bias")]))
    assert shard.pull(PullRequest("model", {}, dense_newer_than=-1)).dense.keys() == {"bias"}


def test_deltas_hold_what_changed_since_the_readers_version() -> None:
    shard = new_shard()
    first = shard.apply_update(update(0, 3, rows={"user": gradients(IDS[:3])}))
    shard.apply_update(update(3, 4, rows={"user": gradients(IDS[2:])}))
    delta = shard.deltas_since("model", first.version, "first-life")
    assert not delta.full
    assert (delta.from_version, delta.to_version) == (1, 2)
    assert delta.rows["user"].ids.tolist() == IDS[2:].tolist()
    assert np.array_equal(delta.rows["user"].values, users(shard, IDS[2:]))
    assert delta.positions == {0: Position(4, 4, 4.0), 1: Position()}
    assert len(shard.deltas_since("model", 2, "first-life").rows["user"]) == 0


@pytest.mark.parametrize(
    ("version", "incarnation"), [(-1, "first-life"), (0, "another-life"), (9, "first-life")]
)
def test_an_unknown_version_gets_everything(version: int, incarnation: str) -> None:
    shard = new_shard()
    shard.apply_update(update(0, 1, rows={"user": gradients(IDS)}))
    delta = shard.deltas_since("model", version, incarnation)
    assert delta.full
    assert set(delta.rows["user"].ids.tolist()) == set(IDS.tolist())
    assert delta.dense.keys() == WEIGHTS.keys()


def test_erased_rows_are_removed_at_every_reader_unless_they_came_back() -> None:
    shard = new_shard()
    before = shard.apply_update(update(0, 1, rows={"user": gradients(IDS)})).version
    assert shard.erase("model", {"user": np.array([1, 2, 77], dtype=np.uint64)}) == {"user": 2}
    shard.apply_update(update(1, 2, rows={"user": gradients(IDS[1:2])}))
    delta = shard.deltas_since("model", before, "first-life")
    assert not delta.full
    assert delta.removed["user"].tolist() == [1]
    assert delta.rows["user"].ids.tolist() == [2]


def test_a_reader_older_than_the_log_of_removals_gets_everything() -> None:
    shard = new_shard()
    many = np.arange(1, 70_000, dtype=np.uint64)
    shard.apply_update(update(0, 1, rows={"user": gradients(many)}))
    shard.erase("model", {"user": many})
    assert shard.deltas_since("model", 1, "first-life").full
    assert not shard.deltas_since("model", 2, "first-life").full


def test_a_group_that_exists_is_kept_and_takes_new_rates() -> None:
    shard = new_shard()
    shard.apply_update(update(0, 1, rows={"user": gradients(IDS)}))
    learned = users(shard)
    faster = MODEL.slots | {"user": SlotSettings(dimension=2, optimizer="sgd", learning_rate=3.0)}
    shard.create_group("model", MODEL.model_copy(update={"slots": faster}), WEIGHTS)
    assert np.array_equal(users(shard), learned)
    shard.apply_update(update(1, 2, rows={"user": gradients(IDS)}))
    np.testing.assert_allclose(users(shard), learned - 3.0)


@pytest.mark.parametrize(
    ("settings", "weights"),
    [
        (GroupSettings(num_partitions=2, dense=DenseSettings()), WEIGHTS),
        (MODEL.model_copy(update={"num_partitions": 3}), WEIGHTS),
        (MODEL, {"bias": np.zeros(5)}),
    ],
    ids=["slots", "partitions", "dense shape"],
)
def test_a_group_cannot_change_its_layout(settings: GroupSettings, weights: dict[str, np.ndarray]) -> None:
    with pytest.raises(ValueError, match=r"layout|shape"):
        new_shard().create_group("model", settings, weights)


def test_a_new_group_may_begin_in_the_middle_of_the_stream() -> None:
    shard = new_shard()
    shard.create_group("late", MODEL, WEIGHTS, start={0: Position(500, 90, 7.0)})
    assert shard.apply_update(update(0, 1, group="late")).outcome is UpdateOutcome.DUPLICATE
    assert shard.apply_update(update(500, 501, group="late")).outcome is UpdateOutcome.APPLIED


def test_a_dropped_group_is_unknown() -> None:
    shard = new_shard()
    shard.drop_group("model")
    assert shard.group_names() == [COUNTERS_GROUP]
    with pytest.raises(UnknownGroupError, match="has no group 'model'"):
        shard.positions("model")
