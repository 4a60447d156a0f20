"""Snapshots that are asked for while the shard goes on: the one told holds what was there when asked."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.paced_snapshots import PacedSnapshots, give_way
from messages.identifiers import NUM_BUCKETS
from messages.updates import Rows, Span, Update
from parameter_server.group_births import begin_as_snapshot
from parameter_server.settings import GroupSettings, SlotSettings
from parameter_server.shard import ParameterShard
from parameter_server.snapshot_catalogue import list_snapshots
from parameter_server.snapshot_files import HashingWriter
from parameter_server.snapshots import restore_latest

DEADLINE_SECONDS = 10.0


@pytest.fixture
def shard() -> ParameterShard:
    made = ParameterShard(0, np.arange(NUM_BUCKETS), "life")
    made.create_group("model", GroupSettings(slots={"user": SlotSettings(dimension=2)}, num_partitions=1), {})
    return made


@pytest.fixture
def snapshots(shard: ParameterShard, tmp_path: Path) -> Iterator[PacedSnapshots]:
    paced = PacedSnapshots(shard, tmp_path, every_seconds=1e9, num_kept=5)
    yield paced
    paced.close()


def learn(shard: ParameterShard, message: int) -> None:
    births = {"user": Rows(np.array([message + 1], dtype=np.uint64), np.ones((1, 2), dtype=np.float32))}
    shard.apply_update(Update("model", 1, {0: Span(message, message + 1, 0, 0.0, 1)}, births=births))


def written(snapshots: PacedSnapshots, ticket: int) -> str:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while (location := snapshots.location(ticket)) is None:
        assert time.monotonic() < deadline
    return location


def position_in(root: Path) -> int:
    restored = ParameterShard(0, np.arange(NUM_BUCKETS), "another life")
    assert restore_latest(restored, root) is not None
    return restored.positions("model").lowest()[0].examples


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread has no niceness of its own")
def test_who_writes_gives_way_and_the_shard_does_not() -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    with ThreadPoolExecutor(1, initializer=give_way) as writer:
        of_writer = writer.submit(os.getpriority, os.PRIO_PROCESS, 0).result()

    assert of_writer > before
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


def test_a_snapshot_that_is_asked_for_is_written_and_told(
    shard: ParameterShard, snapshots: PacedSnapshots, tmp_path: Path
) -> None:
    learn(shard, 0)
    assert Path(written(snapshots, snapshots.request())).is_dir()
    assert position_in(tmp_path) == 1


def test_one_that_was_under_way_does_not_answer_for_a_later_question(
    shard: ParameterShard, snapshots: PacedSnapshots, tmp_path: Path
) -> None:
    learn(shard, 0)
    first = snapshots.request()
    snapshots.go_on()  # it has begun
    learn(shard, 1)
    second = snapshots.request()
    assert second > first
    assert written(snapshots, first) != written(snapshots, second)
    assert position_in(tmp_path) == 2


def test_without_news_nothing_is_written_but_what_is_asked_for(shard: ParameterShard, tmp_path: Path) -> None:
    paced = PacedSnapshots(shard, tmp_path, every_seconds=0.0, num_kept=5)
    for _ in range(5):
        paced.go_on()
    assert not list(tmp_path.iterdir())
    assert paced.write_now() == written(paced, 1)
    paced.close()


def test_while_the_disk_is_full_the_shard_goes_on_and_the_snapshot_before_is_kept(
    shard: ParameterShard, snapshots: PacedSnapshots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn(shard, 0)
    written(snapshots, snapshots.request())
    learn(shard, 1)
    with monkeypatch.context() as full:

        def no_room(self: HashingWriter, data: Any) -> int:
            self._file.write(bytes(data)[:1])  # a file is begun, and torn
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        full.setattr(HashingWriter, "write", no_room)
        with pytest.raises(OSError, match="No space left"):
            written(snapshots, snapshots.request())
    assert "No space left" in (snapshots.failure or "")
    assert position_in(tmp_path) == 1
    learn(shard, 2)
    written(snapshots, snapshots.request())
    assert snapshots.failure is None
    assert position_in(tmp_path) == 3


def pinned_until(snapshots: PacedSnapshots, names: list[str]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not snapshots.keep_pinned(names):
        snapshots.go_on()
        assert time.monotonic() < deadline


def pins_under(root: Path) -> list[list[str]]:
    return [entry["pinned"] for entry in list_snapshots(root)]


def test_a_pinned_version_can_be_gone_back_to_after_however_many_snapshots(
    shard: ParameterShard, tmp_path: Path
) -> None:
    snapshots = PacedSnapshots(shard, tmp_path, every_seconds=1e9, num_kept=1)
    for message in range(3):
        learn(shard, message)
    pinned_until(snapshots, ["model-1.000"])
    promoted = time.time()
    for message in range(3, 9):
        learn(shard, message)
        snapshots.write_now()
    assert [pins for pins in pins_under(tmp_path) if pins] == [["model-1.000"]]
    settings = GroupSettings(slots={"user": SlotSettings(dimension=2)}, num_partitions=1)
    born = begin_as_snapshot(shard, tmp_path, "model@b", "model", promoted, settings, {})
    assert born.num_rows == 3
    snapshots.close()


def test_pins_are_made_once_survive_the_shard_and_let_go(shard: ParameterShard, tmp_path: Path) -> None:
    first = PacedSnapshots(shard, tmp_path, every_seconds=1e9, num_kept=1)
    learn(shard, 0)
    pinned_until(first, ["one"])
    first.close()
    second = PacedSnapshots(shard, tmp_path, every_seconds=1e9, num_kept=1)
    pinned_until(second, ["one", "two"])
    assert pins_under(tmp_path) == [["one"], ["two"]]
    assert second.keep_pinned(["two"])
    second.write_now()
    assert pins_under(tmp_path) == [["two"], []]
    second.close()


def test_a_pin_that_could_not_be_written_is_in_the_next_snapshot(
    shard: ParameterShard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshots = PacedSnapshots(shard, tmp_path, every_seconds=1e9, num_kept=1)

    def full(*_: Any, **__: Any) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(snapshots._series, "write", full)
        assert not snapshots.keep_pinned(["one"])
        deadline = time.monotonic() + DEADLINE_SECONDS
        while snapshots.failure is None:
            snapshots.go_on()
            assert not snapshots.keep_pinned(["one"])
            assert time.monotonic() < deadline
    snapshots.write_now()
    assert snapshots.keep_pinned(["one"])
    assert pins_under(tmp_path) == [["one"]]
    snapshots.close()
