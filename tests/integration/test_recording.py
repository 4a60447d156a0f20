"""A recorded simulation gives the joiners the same EXAMPLES again."""

from pathlib import Path

import numpy as np
import pytest

from foryou.simulate_command import run_simulate_command
from learners.joiner import JoinerSettings
from messages.examples import ExampleBatch
from messages.feed import FeedMessage
from simulations.in_process import InProcessSystem
from simulations.in_process_streams import InProcessStreams
from simulations.paired_runs import run_copy
from simulations.presets import PRESETS
from simulations.recording import FeedRecorder, RecordedLog, RecordingFormatError
from simulations.simulated_feeds import SystemServed
from simulations.simulation import SYSTEM_SETTINGS
from simulations.world import World


def record(path: Path) -> dict[int, list[ExampleBatch]]:
    preset = PRESETS["cold-start"].with_size(people=10)
    world = World(preset.world)
    system = InProcessSystem(SYSTEM_SETTINGS)
    released: dict[int, list[ExampleBatch]] = {}
    join = system.streams.join

    def noted() -> list:
        messages = join()
        for message in messages:
            released.setdefault(message.partition, []).append(message.batch)
        return messages

    system.streams.join = noted  # type: ignore[method-assign]
    with FeedRecorder(path, system.streams.num_partitions) as recorder:
        system.streams.listener = recorder.heard
        run_copy(preset, world, SystemServed(world, SYSTEM_SETTINGS, system=system), max_interactions=150)
        system.advance(2e9)
    return released


def test_a_replay_releases_identical_examples(tmp_path: Path) -> None:
    released = record(tmp_path / "run.rec")
    log = RecordedLog(tmp_path / "run.rec", window_rows=64)
    streams = InProcessStreams(JoinerSettings())
    again: dict[int, list[ExampleBatch]] = {}
    for window in log.windows():
        for partition, message in window.messages:
            streams.append(partition, message, window.last_time)
        for message in streams.join():
            again.setdefault(message.partition, []).append(message.batch)
    assert sum(len(batch) for batches in released.values() for batch in batches) > 150
    for partition, batches in released.items():
        assert (
            ExampleBatch.concatenate(again[partition]).encode() == ExampleBatch.concatenate(batches).encode()
        )


def test_a_recording_is_replayed_and_learned(tmp_path: Path) -> None:
    path = tmp_path / "run.rec"
    run_simulate_command(
        "steady", against="online", people=8, steps=60, report=tmp_path / "report", record=path
    )
    log = RecordedLog(path)
    report = InProcessSystem(SYSTEM_SETTINGS).replay(log.windows())
    assert report.rows == len(log) >= 60
    assert np.isfinite(report.auc_click)


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.rec"
    with FeedRecorder(path, 16) as recorder:
        recorder.heard(3, FeedMessage([("event", {"user_id": "ada"})]), 1e9)
    whole = path.read_bytes()
    for data in (b"", b"\x05\x00\x00\x00hello", b"user,content\n"):
        path.write_bytes(data)
        with pytest.raises(RecordingFormatError, match="not a recording"):
            RecordedLog(path)
    path.write_bytes(whole[:-3])
    with pytest.raises(RecordingFormatError, match="cut short"):
        RecordedLog(path)
    with pytest.raises(RecordingFormatError, match="no file"):
        RecordedLog(tmp_path)
