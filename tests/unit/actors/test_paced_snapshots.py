"""Snapshots now and then, on a disk that may be full."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.model_groups import counters_plan
from actors.paced_snapshots import PacedSnapshots
from messages.identifiers import NUM_BUCKETS
from messages.updates import COUNTERS_GROUP
from parameter_server.shard import ParameterShard
from parameter_server.snapshot_files import LocalFiles
from parameter_server.snapshots import restore_latest

DEADLINE_SECONDS = 10.0


def new_shard(name: str = "shard") -> ParameterShard:
    return ParameterShard(0, np.arange(NUM_BUCKETS), name)


def wait_until(snapshots: PacedSnapshots, condition: Callable[[], bool]) -> None:
    """Call what a shard calls between its answers until a condition holds."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        snapshots.go_on()
        time.sleep(0.002)


@pytest.fixture
def shard() -> ParameterShard:
    shard = new_shard()
    plan = counters_plan(2)
    shard.create_group(COUNTERS_GROUP, plan.settings, plan.dense)
    return shard


def test_a_full_disk_is_said_and_leaves_nothing_half_written_and_the_next_snapshot_holds_all(
    shard: ParameterShard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshots = PacedSnapshots(shard, tmp_path, 3_600.0, 2)
    whole = LocalFiles.writing

    def full(files: LocalFiles, path: str) -> Any:
        if path.endswith(".npz"):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole(files, path)

    monkeypatch.setattr(LocalFiles, "writing", full)
    snapshots.request()
    wait_until(snapshots, lambda: snapshots.failure is not None)
    assert "No space left on device" in str(snapshots.failure)
    assert not list(tmp_path.rglob("*.npz"))
    with pytest.raises(OSError, match="No space left"):
        snapshots.write_now()
    assert restore_latest(new_shard("empty"), tmp_path) is None
    monkeypatch.setattr(LocalFiles, "writing", whole)
    snapshots.request()
    wait_until(snapshots, lambda: snapshots.failure is None)
    snapshots.close()
    assert restore_latest(new_shard("restored"), tmp_path) is not None


def test_who_asked_for_a_snapshot_hears_that_it_was_not_written(
    shard: ParameterShard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(files: LocalFiles, path: str) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    snapshots = PacedSnapshots(shard, tmp_path, 3_600.0, 2)
    with monkeypatch.context() as patched:
        patched.setattr(LocalFiles, "writing", full)
        ticket = snapshots.request()
        wait_until(snapshots, lambda: snapshots.failure is not None)
        with pytest.raises(OSError, match="No space left"):
            snapshots.location(ticket)
    again = snapshots.request()
    wait_until(snapshots, lambda: snapshots.location(again) is not None)
    snapshots.close()
