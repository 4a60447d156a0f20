"""Two models on one stream, and production put back: real parts in one process, real broker and store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.connections import Connections, EndpointSettings
from actors.counter_writer import CounterWriter
from actors.examples_follower import BatchingSettings
from actors.joiner_actor import JoinerActor
from actors.learner_actor import LearnerActor, LearnerSettings
from actors.model_actor import ModelActorSettings
from actors.model_commands import create_model, roll_back
from actors.model_groups import FIRST_MODEL, GroupBirth
from actors.model_hub import ModelHub
from actors.model_records import LogEntry, ModelRecords
from actors.model_registry_store import ModelRegistryStore
from actors.models_actor import ModelsActor
from actors.models_settings import ModelsSettings
from actors.parameter_client import ParameterClient
from actors.shard_host import ShardHost
from actors.shard_host_settings import ShardHostSettings
from actors.streams import StreamSettings, ensure_streams
from learners.joiner import JoinerSettings
from learners.training_settings import TrainingSettings
from parameter_server.routing import ShardRouter, assign_buckets
from tests.joined_traffic import LocalShard, publish, publish_impressions, views

NUM_SHARDS = 2
DEADLINE_SECONDS = 20.0
ROLLBACK_SECONDS = 5.0
TRAINING = TrainingSettings()
FASTER = TrainingSettings(model=TRAINING.model.model_copy(update={"learning_rate": 0.2}))
SETTINGS = ModelsSettings(shadow_min_people=10_000, decide_every_seconds=0.2)
CONTENTS = [f"content-{index}" for index in range(10)]


class Shard(LocalShard):
    """Does all that a shard's actor does, one call at a time, as an actor does."""

    def do(self, method: str, *arguments: Any) -> Any:
        with self._one_at_a_time:
            return getattr(self.host, method)(*arguments)


class LocalParts:
    """`actors.model_keeper.ModelParts` in this process."""

    def __init__(self, endpoints: EndpointSettings, shards: dict[int, Shard]) -> None:
        self._endpoints = endpoints
        self._shards = shards
        self.learners: dict[str, LearnerActor] = {}

    async def ensure_group(self, group: str, training: TrainingSettings, birth: GroupBirth) -> None:
        for shard in self._shards.values():
            shard.do("ensure_group", group, training, birth)

    async def drop_group(self, group: str) -> None:
        for shard in self._shards.values():
            shard.do("drop_group", group)

    async def keep_pinned(self, versions: list[str]) -> None:
        for shard in self._shards.values():
            shard.do("keep_pinned", versions)

    async def start_learner(self, group: str, training: TrainingSettings) -> None:
        if group not in self.learners:
            self.learners[group] = LearnerActor(
                self._endpoints,
                ParameterClient(dict(self._shards), ShardRouter(assign_buckets(NUM_SHARDS))),
                range(self._endpoints.num_partitions),
                training,
                LearnerSettings(group=group, batching=BatchingSettings(max_rows=32)),
            )

    async def stop_learner(self, group: str) -> None:
        learner = self.learners.pop(group, None)
        if learner is not None:
            learner.stop()

    async def learner_status(self, group: str) -> dict[str, Any]:
        return self.learners[group].status()

    def end_learners(self, but: str) -> None:
        for learner in self.learners.values():
            learner.stop()


class World:
    """All parts of a system but serving."""

    def __init__(self, endpoints: EndpointSettings, folder: Path) -> None:
        self.endpoints = endpoints
        asyncio.run(self._prepare())
        owners = assign_buckets(NUM_SHARDS)
        self.shards = {
            shard: Shard(
                ShardHost(
                    shard,
                    np.flatnonzero(owners == shard),
                    {FIRST_MODEL: TRAINING},
                    endpoints.num_partitions,
                    ShardHostSettings(snapshot_root=folder),
                )
            )
            for shard in range(NUM_SHARDS)
        }
        self.parts = LocalParts(endpoints, self.shards)
        self.counter_writer = CounterWriter(
            endpoints,
            ParameterClient(dict(self.shards), ShardRouter(owners)),
            range(endpoints.num_partitions),
            BatchingSettings(),
        )
        self.joiner = JoinerActor(endpoints, JoinerSettings(), range(endpoints.num_partitions))
        self.hub = ModelHub(
            endpoints, list(self.shards.values()), ModelActorSettings(sync_every_seconds=0.05)
        )
        self.models = ModelsActor(endpoints, self.parts, TRAINING, SETTINGS)
        self._rounds = 0

    async def _prepare(self) -> None:
        async with await Connections.open(self.endpoints, "test") as connections:
            limits = StreamSettings(max_bytes=2**25, max_dead_bytes=2**20)
            await ensure_streams(connections.js, connections.namespace, limits)

    def stop(self) -> None:
        for part in (self.models, self.joiner, self.counter_writer, self.hub):
            part.stop()
        for shard in self.shards.values():
            shard.host.close()

    def watch(self) -> None:
        """Let a few people that nobody has seen see ten contents each and watch them."""
        self._rounds += 1
        people = [f"user-{self._rounds}-{number}" for number in range(4)]
        publish_impressions(self.endpoints, people)
        publish(self.endpoints, views(people, CONTENTS))

    def change(self, act: Callable[[ModelRecords], list[LogEntry]]) -> None:
        async def change() -> None:
            async with await Connections.open(self.endpoints, "test") as connections:
                await ModelRegistryStore(connections.redis, connections.namespace, SETTINGS).change(act)

        asyncio.run(change())

    def await_verdict(self, words: str) -> None:
        """Wait until the rules say so of the candidate."""

        async def read() -> str:
            async with await Connections.open(self.endpoints, "test") as connections:
                store = ModelRegistryStore(connections.redis, connections.namespace, SETTINGS)
                return str((await store.verdicts()).get("candidate", {}).get("words", ""))

        seconds_until(lambda: f": {words}" in asyncio.run(read()), lambda: asyncio.run(read()))

    def has_learned(self, group: str) -> bool:
        learner = self.parts.learners.get(group)
        return learner is not None and learner.status()["examples"] > 0

    def synced_rows(self, group: str) -> int:
        """Return how many rows a replica that begins with a group gets."""
        deltas = self.hub.changes_after(-1, 0.2, group)
        return sum(len(rows) for rows in deltas[0].rows.values()) if deltas else 0


@pytest.fixture
def world(endpoints: EndpointSettings, tmp_path: Path) -> Iterator[World]:
    started = World(endpoints, tmp_path)
    yield started
    started.stop()


def seconds_until(condition: Callable[[], bool], say: Callable[[], Any] = lambda: "") -> float:
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < DEADLINE_SECONDS, say()
        time.sleep(0.02)
    return time.monotonic() - started


def test_a_shadow_learns_the_same_rows_and_production_goes_back_to_its_snapshot(world: World) -> None:
    world.watch()
    seconds_until(lambda: world.has_learned(FIRST_MODEL), world.models.status)
    world.change(
        lambda records: create_model(
            records,
            "candidate",
            training=FASTER,
            of_the_system=TRAINING,
            copy=True,
            now=time.time(),
            by="ada",
            why="faster",
        )
    )
    seconds_until(lambda: "candidate" in world.parts.learners, world.models.status)
    world.await_verdict("0 rows compared")  # what production says of rows before that is not kept for a pair
    world.watch()
    world.await_verdict("40 rows compared")
    assert world.has_learned("candidate")
    seconds_until(lambda: world.synced_rows("candidate") > 0)
    segments = world.models.status()["kpis"]["segments"]
    assert segments["all"]["impressions"] > 0

    for shard in world.shards.values():
        shard.do("write_snapshot")
    world.change(lambda records: roll_back(records, now=time.time(), by="ada", why="a bad hour"))
    took = seconds_until(lambda: world.synced_rows("production@b") > 0, world.models.status)
    assert took < ROLLBACK_SECONDS
    seconds_until(lambda: FIRST_MODEL not in world.parts.learners)
    world.watch()
    seconds_until(lambda: world.has_learned("production@b"), world.models.status)
    groups = {name for shard in world.shards.values() for name in shard.do("statistics")["groups"]}
    assert groups == {"candidate", "production@b", "counters"}
