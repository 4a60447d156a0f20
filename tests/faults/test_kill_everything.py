"""SIGKILL of everything at once, then `foryou up` on the same folder: nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest

from actors.connections import Connections, EndpointSettings
from actors.feed_publisher import FeedPublisher
from foryou.client import ApiError, Client
from foryou.local_services import StateFolder
from messages.feed import FeedMessage
from messages.identifiers import NUM_BUCKETS
from messages.updates import COUNTERS_GROUP
from parameter_server.shard import ParameterShard
from parameter_server.snapshots import restore_latest
from tests.e2e.conftest import wait_until_learned
from tests.impressions import impression_of

pytestmark = pytest.mark.system

GROUP = "production"
USERS = [f"user-{number}" for number in range(40)]
CONTENTS = [f"content-{number}" for number in range(12)]
FIRST_TIME = 1_750_000_000.0
START_SECONDS = 90.0
LEARN_SECONDS = 30.0
STOP_SECONDS = 10.0


class Up:
    """`foryou up` as a process of its own, with everything that it starts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = port = probe.getsockname()[1]
        # Another system may run in this process: its flags for Ray's processes are not this one's.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        environment = inherited | {
            "FORYOU_SHARDS__SNAPSHOT_EVERY_SECONDS": "1",
            "FORYOU_STREAMS__MAX_BYTES": str(2**28),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "foryou", "up", "--state", str(folder), "--port", str(port)],
            env=environment,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=(folder.parent / f"{folder.name}.log").open("ab"),
        )
        self.client = Client(f"http://127.0.0.1:{port}")
        self._wait_until_ready()
        running = StateFolder(folder).find_running()
        assert running is not None
        self.endpoints = EndpointSettings(nats_url=running.nats_url, store_url=running.store_url)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            assert self.process.poll() is None, "foryou up ended by itself"
            assert time.monotonic() < deadline, "foryou up did not get ready"
            try:
                if self.client.health()["ready"] and StateFolder(self.folder).find_running() is not None:
                    return
            except (ApiError, httpx.TransportError):
                time.sleep(0.1)

    def kill_everything(self) -> int:
        """SIGKILL the command and all its descendants; returns how many processes that were."""
        processes = [
            *psutil.Process(self.process.pid).children(recursive=True),
            psutil.Process(self.process.pid),
        ]
        for process in processes:
            try:
                process.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(processes, timeout=10)
        self.process.wait()
        return len(processes)

    def stop(self) -> None:
        """End as an operator would, and assert that no process and no port is left."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=STOP_SECONDS) == 0
        _, alive = psutil.wait_procs(children, timeout=1)
        assert not alive
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", self.port)) != 0


def stretch(part: int) -> list[tuple[str, FeedMessage]]:
    """Return one part of a fixed stream: each person is shown contents, watches all and likes some.

    It brings its own clock, since two runs do not append at the same time of day.
    """
    messages = []
    for index, user in enumerate(USERS):
        request = f"{user}-{part}"
        records: list[Any] = [("impression", impression_of(user, CONTENTS, request_id=request).to_wire())]
        for place, content in enumerate(CONTENTS):
            about = {
                "user_id": user,
                "content_id": content,
                "request_id": request,
                "timestamp": FIRST_TIME + part,
            }
            kind = "view" if (index + place + part) % 3 else "skip"
            terminal = {"event_type": kind, "event_id": f"{request}-{place}", "watch_duration": 4.0, **about}
            records.append(("event", terminal))
            if (index + place) % 5 == 0:
                records.append(("event", {"event_type": "like", "event_id": f"{request}-{place}-l", **about}))
        messages.append((user, FeedMessage(records, log_time=FIRST_TIME + part)))
    return messages


def publish(endpoints: EndpointSettings, part: int) -> dict[str, int]:
    """Publish one message after the other: the same stream has the same FEED sequences in every run."""

    async def send() -> dict[str, int]:
        positions: dict[str, int] = {}
        async with await Connections.open(endpoints, "test") as connections:
            publisher = FeedPublisher(connections.js, connections.namespace, endpoints.num_partitions)
            for user, message in stretch(part):
                partition = publisher.partition_of(user)
                positions[str(partition)] = await publisher.publish(partition, message)
        return positions

    return asyncio.run(send())


@dataclass(frozen=True)
class Accounts:
    """What a system knows at its end, out of its snapshots and its store."""

    rows: dict[str, list[int]]
    counters: dict[int, tuple[list[int], list[float]]]
    feed_positions: list[int]
    examples_applied: list[int]
    states: dict[str, bytes]

    @classmethod
    def of(cls, folder: Path, states: dict[str, bytes]) -> Accounts:
        shard = restored_shard(folder)
        assert shard is not None
        model = shard.deltas_since(GROUP, -1, "")
        counted = shard.deltas_since(COUNTERS_GROUP, -1, "").counters
        assert counted is not None
        return cls(
            rows={slot: sorted(rows.ids.tolist()) for slot, rows in model.rows.items()},
            counters={
                int(key): (totals.tolist(), np.round(decayed, 6).ravel().tolist())
                for key, totals, decayed in zip(counted.ids, counted.totals, counted.decayed, strict=True)
            },
            feed_positions=[shard.positions(GROUP).lowest()[p].feed for p in sorted(model.positions)],
            examples_applied=shard.positions(GROUP).examples_applied().tolist(),
            states=states,
        )


def stored_states(endpoints: EndpointSettings) -> dict[str, bytes]:
    async def read() -> dict[str, bytes]:
        async with await Connections.open(endpoints, "test") as connections:
            keys = [connections.namespace.key("state", user) for user in USERS]
            return dict(zip(USERS, await connections.redis.mget(keys), strict=True))

    return asyncio.run(read())


def run(folder: Path, started: list[Up], *, killed: bool) -> tuple[Accounts, int]:
    """Let three stretches through; returns the accounts and how many examples the last learner trained."""

    def start() -> Up:
        started.append(Up(folder))
        return started[-1]

    up = start()
    wait_until_learned(up.client, publish(up.endpoints, 0), LEARN_SECONDS)
    wait_for_snapshot(folder, num_events(0))
    second = publish(up.endpoints, 1)
    if killed:
        assert up.kill_everything() > 8
        up = start()
    wait_until_learned(up.client, second, LEARN_SECONDS)
    wait_until_learned(up.client, publish(up.endpoints, 2), LEARN_SECONDS)
    if not killed:
        for role in ("counter-writer", "learner"):
            wait_until_told(up.client, role, sum(num_events(part) for part in range(3)))
    trained = int(up.client.status()["workers"]["learner"]["examples"])
    states = stored_states(up.endpoints)
    up.stop()
    return Accounts.of(folder, states), trained


def num_events(part: int) -> int:
    return sum(kind == "event" for _, message in stretch(part) for kind, _ in message.records)


def wait_until_told(client: Client, role: str, examples: int) -> None:
    """Replicas ask the workers once a second: what is served may be ahead of what they last said."""
    deadline = time.monotonic() + LEARN_SECONDS
    while client.status()["workers"].get(role, {}).get("examples", 0) < examples:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def wait_for_snapshot(folder: Path, examples: int) -> None:
    """Wait until the snapshots of all shards together hold so many examples."""
    deadline = time.monotonic() + LEARN_SECONDS
    while True:
        shard = restored_shard(folder)
        if shard is not None and all(
            shard.positions(group).examples_applied().sum() >= examples for group in (GROUP, COUNTERS_GROUP)
        ):
            return
        assert time.monotonic() < deadline
        time.sleep(0.2)


def restored_shard(folder: Path) -> ParameterShard | None:
    shard = ParameterShard(0, np.arange(NUM_BUCKETS), "restored")
    return shard if restore_latest(shard, folder / "snapshots" / "live") is not None else None


@pytest.fixture
def started() -> Iterator[list[Up]]:
    """Every `foryou up` of the test; what still runs at its end is killed."""
    systems: list[Up] = []
    yield systems
    for up in systems:
        if up.process.poll() is None:
            up.kill_everything()


@pytest.mark.timeout(280)
def test_after_sigkill_of_everything_the_accounts_equal_an_unkilled_runs(
    tmp_path: Path, started: list[Up]
) -> None:
    calm, trained_by_one = run(tmp_path / "calm", started, killed=False)
    killed, trained_by_the_second = run(tmp_path / "killed", started, killed=True)
    assert killed.examples_applied == calm.examples_applied
    assert killed.feed_positions == calm.feed_positions
    assert killed.rows == calm.rows
    assert killed.counters == calm.counters
    assert killed.states == calm.states
    assert trained_by_one == sum(num_events(part) for part in range(3))
    assert trained_by_the_second <= num_events(1) + num_events(2), (
        "what the snapshot held is not trained again"
    )
