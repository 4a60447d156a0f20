"""Snapshots: all or nothing, checked, and restorable onto any set of buckets."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest

from messages.updates import (
    COUNTERS_GROUP,
    CounterRows,
    PullRequest,
    RowGradients,
    Span,
    Update,
    UpdateOutcome,
)
from parameter_server.routing import ShardRouter, assign_buckets
from parameter_server.settings import GroupSettings, SlotSettings
from parameter_server.shard import ParameterShard
from parameter_server.snapshots import restore_latest, write_snapshot

MODEL = GroupSettings(
    slots={"user": SlotSettings(dimension=2, optimizer="adam"), "a/b": SlotSettings(dimension=1)},
    num_partitions=2,
)
COUNTERS = GroupSettings(num_partitions=2, counters=True)
WEIGHTS = {name: np.full((2, 3), 0.5, dtype=np.float32) for name in ("first/weights", "second", "third")}
IDS = np.arange(1, 200, dtype=np.uint64)


def cluster(num_shards: int, life: str) -> tuple[ShardRouter, dict[int, ParameterShard]]:
    router = ShardRouter(assign_buckets(num_shards))
    return router, {
        shard: ParameterShard(shard, router.buckets_of_shard(shard), f"{life}-{shard}")
        for shard in router.shards
    }


def create_groups(shards: dict[int, ParameterShard]) -> None:
    for shard in shards.values():
        shard.create_group("model", MODEL, WEIGHTS)
        shard.create_group(COUNTERS_GROUP, COUNTERS, {})


def learn(router: ShardRouter, shards: dict[int, ParameterShard], start: int) -> None:
    """Apply one message of partition 1 with 3 examples to both groups."""
    spans = {1: Span(start, start + 1, 5 * start, float(start), 3)}
    random = np.random.default_rng(start)
    rows = {
        slot: RowGradients(IDS, random.standard_normal((len(IDS), width)).astype(np.float32), IDS)
        for slot, width in (("user", 2), ("a/b", 1))
    }
    increments = CounterRows.zeros(IDS)
    increments.totals[:] = start + 1
    increments.decayed[:] = 1.0
    increments.times[:] = 1e9 + start
    updates = [
        Update("model", 7, spans, rows=rows, dense=WEIGHTS),
        Update(COUNTERS_GROUP, 7, spans, counters=increments),
    ]
    for update in updates:
        for shard, part in router.split_update(update).items():
            assert shards[shard].apply_update(part).outcome is UpdateOutcome.APPLIED


def everything(router: ShardRouter, shards: dict[int, ParameterShard]) -> dict[str, np.ndarray]:
    request = PullRequest("model", {"user": IDS, "a/b": IDS}, dense_newer_than=-1, counter_ids=IDS)
    parts = router.split_pull(request)
    merged = router.merge_pull(request, {shard: shards[shard].pull(part) for shard, part in parts.items()})
    assert merged.counters is not None
    return {
        **merged.values,
        **merged.dense,
        "totals": merged.counters.totals,
        "decayed": merged.counters.decayed,
        "times": merged.counters.times,
    }


def assert_same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert one.keys() == other.keys()
    for name, values in one.items():
        assert np.array_equal(values, other[name]), name


@pytest.mark.parametrize("num_shards", [1, 2, 3])
def test_a_cluster_of_another_size_goes_on_where_the_snapshots_stand(tmp_path: Path, num_shards: int) -> None:
    router, shards = cluster(2, "before")
    create_groups(shards)
    learn(router, shards, 0)
    learn(router, shards, 1)
    for shard in shards.values():
        write_snapshot(shard, tmp_path)
    new_router, new_shards = cluster(num_shards, "after")
    infos = [restore_latest(shard, tmp_path) for shard in new_shards.values()]
    assert sum(info.num_buckets for info in infos if info is not None) == 256
    create_groups(new_shards)
    assert_same(everything(router, shards), everything(new_router, new_shards))
    for shard in new_shards.values():
        positions = shard.positions("model")
        assert (positions.examples == [0, 2]).all()
        assert (positions.feed == [0, 5]).all()
        assert (positions.watermarks == [0.0, 1.0]).all()
        assert shard.statistics()["groups"]["model"]["examples_applied"] == [0, 6]
        stale = Update("model", 6, {1: Span(2, 3, 1, 1.0, 1)})
        assert shard.apply_update(stale).outcome is UpdateOutcome.STALE_EPOCH
    learn(router, shards, 2)
    learn(new_router, new_shards, 2)  # the same, so optimizer state and step counts came along
    assert_same(everything(router, shards), everything(new_router, new_shards))


def one_shard_with_snapshots(root: Path, count: int) -> list[Path]:
    router, shards = cluster(1, "before")
    create_groups(shards)
    directories = []
    for number in range(count):
        learn(router, shards, number)
        directories.append(Path(write_snapshot(shards[0], root, created_at=float(number))))
    return directories


def restored_position(root: Path) -> int | None:
    _, shards = cluster(1, "after")
    info = restore_latest(shards[0], root)
    return None if info is None else int(shards[0].positions("model").examples[0, 1])


def flip_a_byte(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 0xFF
    path.write_bytes(data)


def alter_a_number(path: Path) -> None:
    manifest = json.loads(path.read_text())
    manifest["snapshot"]["groups"]["model"]["version"] += 1
    path.write_text(json.dumps(manifest))


DAMAGES = {
    "rows cut short": lambda newest: (newest / "group-0.npz").write_bytes(b"PK"),
    "one byte of rows": lambda newest: flip_a_byte(newest / "group-0.npz", 4_000),
    "rows missing": lambda newest: (newest / "group-1.npz").unlink(),
    "manifest cut short": lambda newest: (newest / "manifest.json").write_text('{"format": 1,'),
    "manifest missing": lambda newest: (newest / "manifest.json").unlink(),
    "manifest altered": lambda newest: alter_a_number(newest / "manifest.json"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_snapshot_is_refused_and_the_one_before_is_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage
) -> None:
    *_, newest = one_shard_with_snapshots(tmp_path, 2)
    damage(newest)
    with caplog.at_level(logging.ERROR):
        assert restored_position(tmp_path) == 1
    assert str(newest) in caplog.text
    assert "refused" in caplog.text


def test_nothing_is_restored_where_every_snapshot_is_damaged(tmp_path: Path) -> None:
    for directory in one_shard_with_snapshots(tmp_path, 2):
        (directory / "group-0.npz").unlink()
    assert restored_position(tmp_path) is None


def test_nothing_is_restored_where_there_is_nothing(tmp_path: Path) -> None:
    assert restored_position(tmp_path / "not there") is None


def test_only_the_newest_snapshots_are_kept_and_leftovers_of_a_crash_go(tmp_path: Path) -> None:
    leftover = tmp_path / "shard-0000" / "000000000001"
    leftover.mkdir(parents=True)
    (leftover / "group-0.npz").write_bytes(b"half")
    directories = one_shard_with_snapshots(tmp_path, 5)
    assert sorted((tmp_path / "shard-0000").iterdir()) == directories[-3:]


def test_an_unfinished_snapshot_is_not_seen(tmp_path: Path) -> None:
    newest = one_shard_with_snapshots(tmp_path, 2)[-1]
    (newest / "manifest.json").unlink()  # it is written last
    assert restored_position(tmp_path) == 1


def test_a_bucket_comes_from_the_newest_snapshot_that_has_it(tmp_path: Path) -> None:
    one_shard_with_snapshots(tmp_path, 1)
    router, shards = cluster(2, "between")
    for shard in shards.values():
        restore_latest(shard, tmp_path)
    create_groups(shards)
    learn(router, shards, 1)
    write_snapshot(shards[1], tmp_path, created_at=5.0)  # shard 0 dies before its first snapshot
    _, (after,) = cluster(1, "after")[0], cluster(1, "after")[1].values()
    info = restore_latest(after, tmp_path)
    assert info is not None
    assert [Path(path).parent.name for path in info.directories] == ["shard-0001", "shard-0000"]
    positions = after.positions("model")
    assert set(positions.examples[np.isin(positions.buckets, shards[1].buckets), 1].tolist()) == {2}
    assert set(positions.examples[np.isin(positions.buckets, shards[0].buckets), 1].tolist()) == {1}


def test_only_a_new_shard_is_restored(tmp_path: Path) -> None:
    _, shards = cluster(1, "busy")
    create_groups(shards)
    with pytest.raises(ValueError, match="new shard"):
        restore_latest(shards[0], tmp_path)


def test_arrays_are_never_unpickled(tmp_path: Path) -> None:
    newest = one_shard_with_snapshots(tmp_path, 1)[-1]
    with np.load(newest / "group-0.npz", allow_pickle=False) as file:
        assert all(file[name].dtype != object for name in file.files)
