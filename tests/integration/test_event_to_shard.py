"""From FEED to the shards on a real broker and store: every event counted once, whoever stops in between."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.connections import Connections, EndpointSettings
from actors.counter_writer import CounterWriter
from actors.examples_follower import BatchingSettings
from actors.feed_publisher import FeedPublisher
from actors.joiner_actor import JoinerActor
from actors.learner_actor import LearnerActor, LearnerSettings
from actors.parameter_client import ParameterClient
from actors.shard_host import ShardHost, ShardHostSettings
from actors.streams import StreamSettings, ensure_streams
from learners.joiner import JoinerSettings
from learners.training_settings import TrainingSettings
from messages.feed import FeedMessage
from messages.identifiers import NUM_BUCKETS, keys_of
from messages.updates import (
    COUNTER_TOTAL_INDEX,
    COUNTERS_GROUP,
    PullReply,
    PullRequest,
    Update,
    UpdateReply,
)
from parameter_server.routing import ShardRouter, assign_buckets
from parameter_server.shard import BucketPositions
from tests.impressions import impression_of

DEADLINE_SECONDS = 20.0
NUM_SHARDS = 2
CONTENTS = [f"content-{index}" for index in range(10)]
TRAINING = TrainingSettings()


class LocalShard:
    """A shard in this process, behind the port that an actor's handle has otherwise."""

    def __init__(self, host: ShardHost) -> None:
        self.host = host
        self._one_at_a_time = threading.Lock()

    async def pull(self, request: PullRequest) -> PullReply:
        with self._one_at_a_time:
            return self.host.pull(request)

    async def apply_update(self, update: Update) -> UpdateReply:
        with self._one_at_a_time:
            return self.host.apply_update(update)

    async def positions(self, group: str) -> BucketPositions:
        with self._one_at_a_time:
            return self.host.positions(group)


@pytest.fixture
def hosts(endpoints: EndpointSettings, tmp_path: Path) -> dict[int, ShardHost]:
    owners = assign_buckets(NUM_SHARDS)
    settings = ShardHostSettings(snapshot_root=tmp_path)
    return {
        shard: ShardHost(
            shard,
            np.flatnonzero(owners == shard),
            {"production": TRAINING},
            endpoints.num_partitions,
            settings,
        )
        for shard in range(NUM_SHARDS)
    }


@pytest.fixture
def client(hosts: dict[int, ShardHost]) -> ParameterClient:
    return ParameterClient(
        {shard: LocalShard(host) for shard, host in hosts.items()}, ShardRouter(assign_buckets(NUM_SHARDS))
    )


@pytest.fixture
def started(endpoints: EndpointSettings) -> Iterator[Callable[[Any], Any]]:
    """Stops at the end what a test started, in the reverse order."""

    async def prepare() -> None:
        async with await Connections.open(endpoints, "test") as connections:
            limits = StreamSettings(max_bytes=2**25, max_dead_bytes=2**20)
            await ensure_streams(connections.js, connections.namespace, limits)

    asyncio.run(prepare())
    running: list[Any] = []

    def start(worker: Any) -> Any:
        running.append(worker)
        return worker

    yield start
    for worker in reversed(running):
        worker.stop()


def publish(endpoints: EndpointSettings, *batches: list[dict[str, Any]], raw: bytes = b"") -> None:
    async def send() -> None:
        async with await Connections.open(endpoints, "test") as connections:
            publisher = FeedPublisher(connections.js, connections.namespace, endpoints.num_partitions)
            for batch in batches:
                await publisher.publish_events(batch)
            if raw:
                await connections.js.publish(connections.namespace.feed_subject(0), raw)

    asyncio.run(send())


def publish_impressions(endpoints: EndpointSettings, users: list[str]) -> None:
    async def send() -> None:
        async with await Connections.open(endpoints, "test") as connections:
            publisher = FeedPublisher(connections.js, connections.namespace, endpoints.num_partitions)
            for user in users:
                await publisher.publish(
                    publisher.partition_of(user),
                    FeedMessage(
                        [("impression", impression_of(user, CONTENTS, request_id=f"r-{user}").to_wire())]
                    ),
                )

    asyncio.run(send())


def views(users: list[str], contents: list[str]) -> list[dict[str, Any]]:
    return [
        {
            "event_type": "view",
            "event_id": f"view-{user}-{content}",
            "user_id": user,
            "content_id": content,
            "timestamp": time.time(),
            "watch_duration": 5.0,
        }
        for user in users
        for content in contents
    ]


def wait_for(condition: Callable[[], bool], what: Callable[[], Any] = lambda: "") -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"did not come in {DEADLINE_SECONDS} s: {what()}")
        time.sleep(0.01)


def total_views(client: ParameterClient) -> int:
    async def read() -> int:
        merged = await client.pull(PullRequest(COUNTERS_GROUP, {}, counter_ids=np.sort(keys_of(CONTENTS))))
        assert merged.counters is not None
        return int(merged.counters.totals[:, COUNTER_TOTAL_INDEX["views"]].sum())

    return asyncio.run(read())


def test_every_event_is_counted_once_though_the_joiner_and_the_writer_are_replaced(
    endpoints: EndpointSettings, client: ParameterClient, started: Callable[[Any], Any]
) -> None:
    users = [f"user-{index}" for index in range(20)]
    partitions = range(endpoints.num_partitions)
    batching = BatchingSettings(max_rows=16)
    joiner = started(JoinerActor(endpoints, JoinerSettings(), partitions))
    writer = started(CounterWriter(endpoints, client, partitions, batching))
    publish(endpoints, views(users, CONTENTS[:5]))
    wait_for(lambda: total_views(client) > 0, joiner.status)
    joiner.stop()
    writer.stop()
    publish(endpoints, views(users, CONTENTS), views(users[:3], CONTENTS))  # half of it known, some twice
    joiner = started(JoinerActor(endpoints, JoinerSettings(), partitions))
    writer = started(CounterWriter(endpoints, client, partitions, batching))
    wait_for(
        lambda: total_views(client) >= len(users) * len(CONTENTS), lambda: (joiner.status(), writer.status())
    )
    assert total_views(client) == len(users) * len(CONTENTS)


def test_a_learner_trains_on_what_was_joined_and_every_bucket_stands_at_the_same_place(
    endpoints: EndpointSettings,
    client: ParameterClient,
    hosts: dict[int, ShardHost],
    started: Callable[[Any], Any],
) -> None:
    users = [f"user-{index}" for index in range(8)]
    partitions = range(endpoints.num_partitions)
    joiner = started(JoinerActor(endpoints, JoinerSettings(), partitions))
    learner = started(LearnerActor(endpoints, client, partitions, TRAINING, LearnerSettings()))
    publish_impressions(endpoints, users)
    publish(endpoints, views(users, CONTENTS))
    expected = len(users) * len(CONTENTS)
    wait_for(lambda: learner.status()["examples"] >= expected, lambda: (joiner.status(), learner.status()))
    assert joiner.status()["joined"] == expected
    assert learner.status()["examples"] == expected
    positions = [host.positions("production") for host in hosts.values()]
    assert sum(len(part.buckets) for part in positions) == NUM_BUCKETS
    for partition in partitions:
        assert len({int(p) for part in positions for p in part.examples[:, partition]}) == 1


def test_broken_bytes_go_to_the_dead_stream_with_their_reason_and_the_rest_goes_on(
    endpoints: EndpointSettings, client: ParameterClient, started: Callable[[Any], Any]
) -> None:
    partitions = range(endpoints.num_partitions)
    joiner = started(JoinerActor(endpoints, JoinerSettings(), partitions))
    started(CounterWriter(endpoints, client, partitions, BatchingSettings()))
    publish(endpoints, views(["ann"], CONTENTS[:1]), raw=b"\xc1 not a message")
    wait_for(lambda: joiner.status()["dead_letters"] == 1 and total_views(client) == 1, joiner.status)

    async def read_dead() -> tuple[bytes, dict[str, str]]:
        async with await Connections.open(endpoints, "test") as connections:
            message = await connections.js.get_last_msg(
                connections.namespace.dead_stream, connections.namespace.dead_subject
            )
            return message.data, message.headers

    data, headers = asyncio.run(read_dead())
    assert data == b"\xc1 not a message"
    assert "not a msgpack message" in headers["Foryou-Reason"]
