"""What the snapshot commands answer, without a running system."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from foryou.snapshot_command import (
    SnapshotError,
    run_snapshot_inspect,
    run_snapshot_list,
    run_snapshot_restore,
)
from messages.updates import RowGradients, Span, Update
from parameter_server.routing import ShardRouter, assign_buckets
from parameter_server.settings import GroupSettings, SlotSettings
from parameter_server.shard import ParameterShard
from parameter_server.snapshots import write_snapshot


def two_shards_written(root: Path) -> None:
    router = ShardRouter(assign_buckets(2))
    ids = np.arange(1, 51, dtype=np.uint64)
    rows = {"user": RowGradients(ids, np.ones((50, 2), dtype=np.float32), np.ones(50, dtype=np.uint32))}
    update = Update("model", 1, {0: Span(0, 1, 0, 0.0, 50)}, rows=rows)
    for shard_id, part in router.split_update(update).items():
        shard = ParameterShard(shard_id, router.buckets_of_shard(shard_id), "life")
        slots = {"user": SlotSettings(dimension=2)}
        shard.create_group("model", GroupSettings(slots=slots, num_partitions=1), {})
        shard.apply_update(part)
        write_snapshot(shard, root)


def test_snapshots_are_listed_inspected_and_put_together_elsewhere(tmp_path: Path) -> None:
    two_shards_written(tmp_path / "old")
    listed = run_snapshot_list(tmp_path / "old")
    assert (listed["num_snapshots"], listed["num_damaged"]) == (2, 0)
    report = run_snapshot_restore(tmp_path / "old", tmp_path / "new")
    assert (report["rows"], report["buckets"]) == (50, 256)
    inspected = run_snapshot_inspect(tmp_path / "new", "shard-0000/000000000001")
    assert inspected["groups"]["model"]["rows"] == {"user": 50}
    json.dumps([listed, report, inspected])
    with pytest.raises(SnapshotError, match="already"):
        run_snapshot_restore(tmp_path / "old", tmp_path / "new")


def test_a_damaged_snapshot_is_named(tmp_path: Path) -> None:
    two_shards_written(tmp_path)
    (tmp_path / "shard-0001" / "000000000001" / "group-0.npz").write_bytes(b"torn")
    with pytest.raises(SnapshotError, match="not what was written"):
        run_snapshot_inspect(tmp_path, "shard-0001/000000000001")
    with pytest.raises(SnapshotError, match="no snapshot"):
        run_snapshot_restore(tmp_path / "nowhere", tmp_path / "new")
