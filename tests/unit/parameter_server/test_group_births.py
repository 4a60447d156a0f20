"""A group begins as another one is or was, and goes its own way from there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from messages.identifiers import NUM_BUCKETS
from messages.updates import PullRequest, RowGradients, Span, Update, UpdateOutcome
from parameter_server.group_births import NoSuchSnapshotError, begin_as_copy, begin_as_snapshot
from parameter_server.settings import DenseSettings, GroupSettings, SlotSettings
from parameter_server.shard import ParameterShard
from parameter_server.snapshots import write_snapshot

IDS = np.arange(1, 50, dtype=np.uint64)
DENSE = {"weight": np.ones((2, 2), dtype=np.float32)}


def settings(rate: float = 0.1) -> GroupSettings:
    return GroupSettings(
        slots={"user": SlotSettings(dimension=2, learning_rate=rate)},
        dense=DenseSettings(learning_rate=rate),
        num_partitions=1,
    )


def shard_with_model() -> ParameterShard:
    shard = ParameterShard(0, np.arange(NUM_BUCKETS), "life")
    shard.create_group("model", settings(), DENSE)
    return shard


def learn(shard: ParameterShard, group: str, start: int, epoch: int = 3) -> UpdateOutcome:
    gradients = np.ones((len(IDS), 2), dtype=np.float32)
    counts = np.ones(len(IDS), dtype=np.uint32)
    rows = {"user": RowGradients(IDS, gradients, counts)}
    spans = {0: Span(start, start + 1, start + 1, float(start), 1)}
    return shard.apply_update(Update(group, epoch, spans, rows=rows, dense=DENSE)).outcome


def rows_of(shard: ParameterShard, group: str) -> np.ndarray:
    return shard.pull(PullRequest(group, {"user": IDS})).values["user"]


def test_a_copy_stands_where_its_source_stands_and_listens_to_a_first_owner() -> None:
    shard = shard_with_model()
    learn(shard, "model", 0)
    begin_as_copy(shard, "candidate", "model", settings(rate=0.5), DENSE)
    np.testing.assert_array_equal(rows_of(shard, "candidate"), rows_of(shard, "model"))
    assert learn(shard, "candidate", 0, epoch=1) is UpdateOutcome.DUPLICATE
    assert learn(shard, "candidate", 1, epoch=1) is UpdateOutcome.APPLIED


def test_a_copy_learns_at_its_own_rate_and_leaves_its_source_alone() -> None:
    shard = shard_with_model()
    learn(shard, "model", 0)
    before = rows_of(shard, "model")
    begin_as_copy(shard, "candidate", "model", settings(rate=0.5), DENSE)
    learn(shard, "candidate", 1)
    np.testing.assert_array_equal(rows_of(shard, "model"), before)
    learn(shard, "model", 1)
    moved = np.abs(rows_of(shard, "candidate") - before) / np.abs(rows_of(shard, "model") - before)
    np.testing.assert_allclose(moved, 5.0, rtol=1e-3)


def test_a_copy_of_another_shape_is_refused_and_leaves_nothing() -> None:
    shard = shard_with_model()
    with pytest.raises(ValueError, match="shape"):
        begin_as_copy(shard, "candidate", "model", settings(), {"weight": np.ones((3, 3), np.float32)})
    assert not shard.has_group("candidate")


def test_a_lineage_begins_as_the_model_was_before_it_went_bad(tmp_path: Path) -> None:
    shard = shard_with_model()
    learn(shard, "model", 0)
    good = rows_of(shard, "model")
    write_snapshot(shard, tmp_path, created_at=100.0)
    learn(shard, "model", 1)
    write_snapshot(shard, tmp_path, created_at=200.0)
    report = begin_as_snapshot(shard, tmp_path, "model@b", "model", 150.0, settings(), DENSE)
    assert report.as_of == 100.0
    np.testing.assert_array_equal(rows_of(shard, "model@b"), good)
    assert shard.positions("model@b").lowest()[0].examples == 1


def test_without_a_snapshot_so_old_the_oldest_serves(tmp_path: Path) -> None:
    shard = shard_with_model()
    for created_at in (100.0, 200.0):
        write_snapshot(shard, tmp_path, created_at=created_at)
    assert begin_as_snapshot(shard, tmp_path, "b", "model", 50.0, settings(), DENSE).as_of == 100.0


def test_a_damaged_snapshot_is_passed_over(tmp_path: Path) -> None:
    shard = shard_with_model()
    write_snapshot(shard, tmp_path, created_at=100.0)
    newest = Path(write_snapshot(shard, tmp_path, created_at=200.0))
    next(newest.glob("*.npz")).write_bytes(b"torn")
    assert begin_as_snapshot(shard, tmp_path, "b", "model", 300.0, settings(), DENSE).as_of == 100.0


def test_no_snapshot_of_the_group_is_an_error(tmp_path: Path) -> None:
    shard = shard_with_model()
    with pytest.raises(NoSuchSnapshotError, match="model"):
        begin_as_snapshot(shard, tmp_path, "b", "model", 300.0, settings(), DENSE)
