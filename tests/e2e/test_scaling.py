"""More shards and fewer again, while people scroll and a log is replayed: nothing lost or counted twice."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from actors.cluster import ClusterPlan
from actors.connections import EndpointSettings
from actors.names import RAY_NAMESPACE
from actors.parameter_client import ParameterClient
from actors.shard_directory import ShardDirectory
from foryou.cli import app
from foryou.client import Client
from foryou.scale_command import run_scale_shards
from foryou.system import System
from messages.arrays import IdArray
from messages.identifiers import NUM_BUCKETS, keys_of
from messages.updates import COUNTER_TOTALS, COUNTERS_GROUP, CounterRows, PullRequest
from parameter_server.routing import ShardRouter, assign_buckets
from parameter_server.shard import BucketPositions, ParameterShard
from parameter_server.snapshots import restore_latest
from simulations.in_process import InProcessSettings, InProcessSystem
from simulations.in_process_learner import MODEL_GROUP
from simulations.kuairand import KuaiRandLog
from simulations.system_replay import replay_through_system
from tests.e2e.conftest import CONTENTS_PER_TOPIC, DEADLINE_SECONDS, TOPICS, Person, wait_until_learned
from tests.kuairand_files import write_log

pytestmark = pytest.mark.system
GROUP = "production"
NUM_REPLAYED = 1_200
WINDOW_ROWS = 50
REPLAYED_KEYS = keys_of(map(str, range(500)))
TERMINALS = [COUNTER_TOTALS.index(name) for name in ("views", "skips")]


def scale(system: System, number: int) -> dict[str, Any]:
    state = str(system.settings.services.state)
    done = CliRunner().invoke(app, ["scale", "shards", str(number), "--state", state, "--json"])
    assert done.exit_code == 0, done.output
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def counters(endpoints: EndpointSettings, keys: IdArray) -> CounterRows:
    client = ParameterClient(shard_map=ShardDirectory(endpoints, RAY_NAMESPACE))
    pulled = asyncio.run(client.pull(PullRequest(GROUP, {}, counter_ids=keys)))
    assert pulled.counters is not None
    return pulled.counters


def wait_for_shards(client: Client, number: int) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        parts = client.status()["workers"]
        shards = [role for role in parts if role.startswith("shard-")]
        if len(shards) == number and all(parts[role]["running"] for role in shards):
            return
        assert time.monotonic() < deadline, shards
        time.sleep(0.1)


@pytest.mark.timeout(120)
def test_people_scroll_on_while_shards_come_and_go(system: System, client: Client) -> None:
    counted = {f"{topic}-{number}" for topic in TOPICS for number in range(CONTENTS_PER_TOPIC)}
    keys = keys_of(sorted(counted))
    before = counters(system.endpoints, keys).totals[:, TERMINALS].sum()
    stop = threading.Event()
    people: list[Person] = []
    failures: list[Exception] = []
    positions: dict[str, int] = {}

    def scroll() -> None:
        try:
            while not stop.is_set():
                people.append(Person(f"scaled-{len(people)}", TOPICS[len(people) % len(TOPICS)], client))
                for _ in range(3):
                    positions.update(people[-1].scroll()["positions"])
        except Exception as error:  # noqa: BLE001 told by the test
            failures.append(error)

    scrolling = threading.Thread(target=scroll)
    scrolling.start()
    try:
        more = scale(system, 3)
        assert (more["shards_before"], more["shards"]) == (2, 3)
        wait_for_shards(client, 3)
        fewer = scale(system, 2)
        assert fewer["buckets_moved"] == more["buckets_moved"] < NUM_BUCKETS / 2
        wait_for_shards(client, 2)
    finally:
        stop.set()
        scrolling.join()
    assert not failures
    wait_until_learned(client, positions)
    watched = sum(content in counted for person in people for content in person.seen)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while counters(system.endpoints, keys).totals[:, TERMINALS].sum() < before + watched:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert counters(system.endpoints, keys).totals[:, TERMINALS].sum() == before + watched
    assert not client.status()["warnings"]


def accounts_of(counted: CounterRows, standing: dict[str, list[BucketPositions]]) -> dict[str, Any]:
    """What was counted, and how far every bucket has come: examples and stream time, by partition.

    Sequences of EXAMPLES are no part of it: which partition's joiner appends first is a matter of time.
    """
    accounts: dict[str, Any] = {
        "totals": counted.totals.tolist(),
        "decayed": np.round(counted.decayed, 6).tolist(),  # sums in another order differ in the last digit
    }
    for group, positions in standing.items():
        assert sum(len(part.buckets) for part in positions) == NUM_BUCKETS
        for name in ("applied", "watermarks"):
            values = np.unique(np.concatenate([getattr(part, name) for part in positions]), axis=0)
            assert len(values) == 1, "all buckets stand at one place"
            accounts[f"{group} {name}"] = values[0].tolist()
    return accounts


def replayed_in_process(log: KuaiRandLog, system: System) -> dict[str, Any]:
    """The accounts of one process, whose shards keep their buckets."""
    settings = InProcessSettings(joiner=system.settings.joiner, training=system.settings.training)
    one_process = InProcessSystem(settings)
    one_process.replay(log.windows())
    shards = one_process.learner.shards
    request = PullRequest(MODEL_GROUP, {}, counter_ids=REPLAYED_KEYS)
    router = ShardRouter(assign_buckets(len(shards)))
    replies = {shard: shards[shard].pull(part) for shard, part in router.split_pull(request).items()}
    counted = router.merge_pull(request, replies).counters
    assert counted is not None
    standing = {
        group: [shard.positions(name) for shard in shards.values()]
        for group, name in ((GROUP, MODEL_GROUP), (COUNTERS_GROUP, COUNTERS_GROUP))
    }
    return accounts_of(counted, standing)


@pytest.mark.timeout(180)
def test_a_replay_counts_the_same_whether_or_not_shards_come_and_go_in_its_middle(
    system: System, tmp_path: Path
) -> None:
    log = KuaiRandLog(write_log(tmp_path / "log"), window_rows=WINDOW_ROWS, max_rows=NUM_REPLAYED)
    endpoints = system.endpoints.model_copy(update={"namespace": "replay-scaled"})
    settings = system.settings.model_copy(update={"namespace": "replay-scaled"})
    plan = ClusterPlan(
        endpoints=endpoints,
        snapshot_root=tmp_path / "snapshots",
        joiner=settings.joiner,
        training=settings.training,
        batching=settings.batching,
        replay=True,
    )
    moved: list[int] = []
    accounts: dict[str, Any] = {}

    def scale_twice() -> None:
        for number in (3, 2):
            moved.append(run_scale_shards(settings, number, timeout=60.0)["buckets_moved"])

    scaling = threading.Thread(target=scale_twice)

    def advance(rows: int) -> None:
        if not scaling.ident:
            scaling.start()
        if scaling.is_alive():
            time.sleep(0.25)  # so that the log lasts longer than the moves

    def read_accounts() -> None:
        scaling.join()
        client = ParameterClient(shard_map=ShardDirectory(endpoints, RAY_NAMESPACE))
        standing = {group: asyncio.run(client.positions(group)) for group in (GROUP, COUNTERS_GROUP)}
        accounts.update(accounts_of(counters(endpoints, REPLAYED_KEYS), standing))

    report = replay_through_system(plan, log, settings.streams, None, advance, read_accounts)
    assert len(moved) == 2
    assert moved[0] == moved[1] > 0
    assert report.examples == NUM_REPLAYED
    assert accounts == replayed_in_process(log, system)
    assert np.array(accounts["totals"])[:, TERMINALS].sum() == NUM_REPLAYED


def test_a_snapshot_that_was_asked_for_holds_what_the_shards_hold(system: System) -> None:
    state = str(system.settings.services.state)
    done = subprocess.run(
        [sys.executable, "-m", "foryou", "snapshot", "create", "--state", state, "--json"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    told = json.loads(done.stdout.strip().splitlines()[-1])
    assert told["shards"] == len(told["snapshots"]) == 2
    shard = ParameterShard(0, np.arange(NUM_BUCKETS), "restored")
    restored = restore_latest(shard, system.snapshot_root)
    assert restored is not None
    assert sorted(restored.directories) == sorted(told["snapshots"])
    assert restored.num_buckets == NUM_BUCKETS
