"""Events and impressions for a joiner on a real broker, and shards in this process to learn into."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from actors.connections import Connections, EndpointSettings
from actors.feed_publisher import FeedPublisher
from actors.parameter_client import ParameterClient
from actors.shard_host import ShardHost
from learners.training_settings import TrainingSettings
from messages.feed import FeedMessage
from messages.identifiers import keys_of
from messages.updates import (
    COUNTER_TOTAL_INDEX,
    COUNTERS_GROUP,
    Cursor,
    PullReply,
    PullRequest,
    ShardDelta,
    Update,
    UpdateReply,
)
from parameter_server.shard import BucketPositions
from tests.impressions import impression_of

DEADLINE_SECONDS = 20.0
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

    async def apply_and_pull(
        self, update: Update, request: PullRequest
    ) -> tuple[UpdateReply, PullReply | None]:
        with self._one_at_a_time:
            return self.host.apply_and_pull(update, request)

    async def positions(self, group: str) -> BucketPositions:
        with self._one_at_a_time:
            return self.host.positions(group)

    async def deltas_since(self, cursors: Mapping[str, Cursor]) -> list[ShardDelta]:
        with self._one_at_a_time:
            return self.host.deltas_since(cursors)

    async def wait_for_news(self, cursors: Mapping[str, Cursor], seconds: float) -> bool:
        """Look again and again: a thread that waits would outlive who asked."""
        until = time.monotonic() + seconds
        while not self.host.wait_for_news(cursors, 0.0):
            if time.monotonic() >= until:
                return False
            await asyncio.sleep(0.005)
        return True


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
