"""Bases and changes: small, consistent while the shard goes on, on any file system, for other layouts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pyarrow.fs import LocalFileSystem

from messages.identifiers import NUM_BUCKETS, buckets_of
from messages.updates import COUNTERS_GROUP, CounterRows, PullRequest, RowGradients, Span, Update
from parameter_server.initializers import initial_rows
from parameter_server.settings import GroupSettings, OptimizerName, SlotSettings
from parameter_server.shard import ParameterShard
from parameter_server.snapshot_catalogue import inspect_snapshot, list_snapshots
from parameter_server.snapshot_files import ArrowFiles, SnapshotRootError, open_files
from parameter_server.snapshots import DamagedSnapshotError, SnapshotSeries, restore_latest

IDS = np.arange(1, 201, dtype=np.uint64)


def model(dimension: int = 3, optimizer: OptimizerName = "adagrad") -> GroupSettings:
    slots = {"user": SlotSettings(dimension=dimension, optimizer=optimizer)}
    return GroupSettings(slots=slots, num_partitions=1)


def new_shard(life: str = "life", settings: GroupSettings | None = None) -> ParameterShard:
    shard = ParameterShard(0, np.arange(NUM_BUCKETS), life)
    weights = {"bias": np.zeros(2, dtype=np.float32), "scale": np.zeros((), dtype=np.float32)}
    shard.create_group("model", settings or model(), weights)
    shard.create_group(COUNTERS_GROUP, GroupSettings(num_partitions=1, counters=True), {})
    return shard


def learn(shard: ParameterShard, ids: np.ndarray) -> None:
    start = int(shard.positions("model").examples[0, 0])
    width = shard.group("model").settings.slots["user"].dimension
    slopes = np.full((len(ids), width), 0.5 + start, dtype=np.float32)
    spans = {0: Span(start, start + 1, 0, 0.0, len(ids))}
    rows = {"user": RowGradients(ids, slopes, np.ones(len(ids), dtype=np.uint32))}
    dense = {"bias": np.ones(2, dtype=np.float32)}
    shard.apply_update(Update("model", 1, spans, rows=rows, dense=dense, stream_time=1_000.0 + start))
    counters = CounterRows.zeros(ids)
    counters.totals[:] = 1
    shard.apply_update(Update(COUNTERS_GROUP, 1, spans, counters=counters, stream_time=1_000.0 + start))


def contents(shard: ParameterShard) -> dict[str, list[object]]:
    reply = shard.pull(PullRequest("model", {"user": IDS}, dense_newer_than=-1, counter_ids=IDS))
    assert reply.counters is not None
    rows = shard.statistics()["groups"]["model"]["tables"]["user"]["rows"]
    return {
        "values": reply.values["user"].tolist(),
        "bias": reply.dense["bias"].tolist(),
        "totals": reply.counters.totals.tolist(),
        "positions": shard.positions("model").examples.tolist(),
        "rows": [rows],
    }


def restored(root: Path | ArrowFiles) -> ParameterShard:
    shard = ParameterShard(0, np.arange(NUM_BUCKETS), "another life")
    assert restore_latest(shard, root) is not None
    return shard


def test_changes_alone_are_written_after_a_base_and_restored_with_it(tmp_path: Path) -> None:
    shard = new_shard()
    series = SnapshotSeries(shard, tmp_path)
    learn(shard, IDS)
    series.take()
    learn(shard, IDS[:7])
    shard.erase("model", {"user": IDS[3:5]})
    series.take()
    listed = list_snapshots(tmp_path)
    assert [entry["kind"] for entry in listed] == ["base", "changes"]
    assert listed[1]["rows"] == 5 + 7
    assert contents(restored(tmp_path)) == contents(shard)


def test_a_base_is_written_again_after_so_many_changes_and_what_is_needed_stays(tmp_path: Path) -> None:
    shard = new_shard()
    series = SnapshotSeries(shard, tmp_path, keep=2, most_changes=3)
    kinds = []
    learn(shard, IDS)
    for _ in range(7):
        learn(shard, IDS[:3])
        series.take()
        kinds.append(list_snapshots(tmp_path)[-1]["kind"])
    assert kinds == ["base", "changes", "changes", "changes", "base", "changes", "changes"]
    assert [entry["snapshot"][-1] for entry in list_snapshots(tmp_path)] == ["5", "6", "7"]
    assert contents(restored(tmp_path)) == contents(shard)


def test_many_changes_are_a_base(tmp_path: Path) -> None:
    shard = new_shard()
    series = SnapshotSeries(shard, tmp_path)
    for _ in range(4):
        learn(shard, IDS)
        series.take()
    assert [entry["kind"] for entry in list_snapshots(tmp_path)] == ["base", "changes", "base", "changes"]


def test_what_builds_on_a_damaged_snapshot_is_refused_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shard = new_shard()
    series = SnapshotSeries(shard, tmp_path)
    learn(shard, IDS)
    series.take(created_at=1.0)
    expected = contents(shard)
    learn(shard, IDS[:3])
    damaged = Path(series.take(created_at=2.0))
    series.take(created_at=3.0)
    (damaged / "group-0.npz").write_bytes(b"torn")
    assert contents(restored(tmp_path)) == expected
    assert caplog.text.count("refused") == 2
    with pytest.raises(DamagedSnapshotError, match="not what was written"):
        inspect_snapshot(tmp_path, "shard-0000/000000000003")


def test_a_copy_is_of_one_moment_whatever_is_learned_between_its_slices() -> None:
    shard = new_shard()
    learn(shard, IDS)
    series = SnapshotSeries(shard, Path("nowhere"), slice_rows=10)
    copy = series.begin()
    turn = 0
    while not copy.step():
        learn(shard, IDS[turn : turn + 30])
        if turn % 3 == 0:
            shard.erase("model", {"user": IDS[turn + 40 : turn + 45]})
        turn += 1
    assert turn > 20
    again = ParameterShard(0, np.arange(NUM_BUCKETS), "another life")
    states = copy.states()
    again.load_group("model", [states["model"]])
    reply = again.pull(PullRequest("model", {"user": IDS}))
    seen = shard.pull(PullRequest("model", {"user": IDS}))
    assert states["model"].version <= shard.group("model").version
    late = np.isin(IDS, IDS[: turn + 60], invert=True)
    assert np.array_equal(reply.values["user"][late], seen.values["user"][late])
    positions = again.positions("model").examples[0, 0]
    expected = new_shard()
    learn(expected, IDS)
    for number in range(int(positions) - 1):
        learn(expected, IDS[number : number + 30])
        if number % 3 == 0:
            expected.erase("model", {"user": IDS[number + 40 : number + 45]})
    assert np.array_equal(
        reply.values["user"], expected.pull(PullRequest("model", {"user": IDS})).values["user"]
    )


def test_a_copy_begins_again_when_buckets_move_between_its_slices(tmp_path: Path) -> None:
    shard, other = new_shard(), ParameterShard(1, np.empty(0, dtype=np.int64), "other")
    for name in shard.group_names():
        other.create_group(name, shard.group(name).settings, {})
    learn(shard, IDS)
    series = SnapshotSeries(shard, tmp_path, slice_rows=10)
    copy = series.begin()
    assert not copy.step()
    exported = shard.export_buckets(np.arange(100))
    other.import_buckets(exported)
    shard.drop_buckets(exported)
    while not copy.step():
        pass
    series.write(copy)
    assert list_snapshots(tmp_path)[0]["buckets"] == 156
    again = ParameterShard(0, np.arange(100, NUM_BUCKETS), "again")
    assert restore_latest(again, tmp_path) is not None
    mine = IDS[buckets_of(IDS) >= 100]
    request = PullRequest("model", {"user": mine})
    assert np.array_equal(again.pull(request).values["user"], shard.pull(request).values["user"])
    assert len(again.group("model").tables["user"]) == len(mine)


def test_any_file_system_of_pyarrow_will_do(tmp_path: Path) -> None:
    files = ArrowFiles(LocalFileSystem(), str(tmp_path))
    shard = new_shard()
    series = SnapshotSeries(shard, files, keep=1, most_changes=1)
    for _ in range(4):
        learn(shard, IDS)
        series.take()
    assert contents(restored(files)) == contents(shard)
    assert len(list_snapshots(files)) <= 2
    assert isinstance(open_files(f"file://{tmp_path}"), ArrowFiles)


@pytest.mark.parametrize("optimizer", ["sgd", "adagrad", "rowwise_adagrad", "adam", "ftrl"])
@pytest.mark.parametrize("dimension", [2, 5])
def test_a_dimension_may_change_at_restore(tmp_path: Path, optimizer: OptimizerName, dimension: int) -> None:
    shard = new_shard(settings=model(3, optimizer))
    learn(shard, IDS[:50])
    SnapshotSeries(shard, tmp_path).take()
    wider = ParameterShard(0, np.arange(NUM_BUCKETS), "wider")
    wanted = {"model": model(dimension, optimizer)}
    assert restore_latest(wider, tmp_path, wanted) is not None
    wider.create_group("model", wanted["model"], {})
    shared = min(3, dimension)
    before = shard.pull(PullRequest("model", {"user": IDS})).values["user"][:, :shared]
    after = wider.pull(PullRequest("model", {"user": IDS})).values["user"]
    first = initial_rows(IDS, dimension, 0.01, "user")
    assert np.array_equal(after[:50, :shared], before[:50])
    assert np.array_equal(after[:50, shared:], first[:50, shared:])
    assert np.array_equal(after[50:], first[50:])
    if optimizer != "rowwise_adagrad":  # its one accumulator is of the mean over all columns
        for both in (shard, wider):
            learn(both, IDS[:50])
        before = shard.pull(PullRequest("model", {"user": IDS})).values["user"][:50, :shared]
        after = wider.pull(PullRequest("model", {"user": IDS})).values["user"][:50, :shared]
        np.testing.assert_allclose(after, before, rtol=1e-6)


def test_slots_may_come_and_go_at_restore(tmp_path: Path) -> None:
    shard = new_shard()
    learn(shard, IDS)
    SnapshotSeries(shard, tmp_path).take()
    changed = GroupSettings(slots={"hour": SlotSettings(dimension=2)}, num_partitions=1)
    again = ParameterShard(0, np.arange(NUM_BUCKETS), "another life")
    restore_latest(again, tmp_path, {"model": changed})
    again.create_group("model", changed, {})
    assert again.statistics()["groups"]["model"]["tables"]["hour"]["rows"] == 0
    assert (again.positions("model").examples == 1).all()


def test_inspection_says_what_a_snapshot_holds(tmp_path: Path) -> None:
    shard = new_shard()
    learn(shard, IDS)
    series = SnapshotSeries(shard, tmp_path)
    series.take(created_at=5.0)
    learn(shard, IDS[:2])
    series.take(created_at=6.0)
    report = inspect_snapshot(tmp_path, "shard-0000/000000000002")
    assert report["made_of"] == ["shard-0000/000000000001", "shard-0000/000000000002"]
    assert report["created_at"] == 6.0
    group = report["groups"]["model"]
    assert (group["rows"], group["dimensions"], group["positions"]) == ({"user": 200}, {"user": 3}, {0: 2})
    assert report["groups"][COUNTERS_GROUP]["counters"] == 200
    json.dumps(report)


def test_listing_names_what_cannot_be_used(tmp_path: Path) -> None:
    shard = new_shard()
    taken = Path(SnapshotSeries(shard, tmp_path).take())
    (taken / "manifest.json").write_text("{")
    (entry,) = list_snapshots(tmp_path)
    assert "cannot be read" in entry["problem"]


def test_a_file_system_that_nobody_knows_is_refused_by_name() -> None:
    with pytest.raises(SnapshotRootError, match="nowhere://bucket"):
        open_files("nowhere://bucket")
