"""From FEED to the shards on a real broker and store: every event counted once, whoever stops in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from actors.connections import Connections, EndpointSettings
from actors.counter_writer import CounterWriter
from actors.examples_follower import BatchingSettings
from actors.joiner_actor import JoinerActor
from actors.learner_actor import LearnerActor, LearnerSettings
from actors.parameter_client import ParameterClient
from actors.shard_host import ShardHost
from learners.joiner import JoinerSettings
from messages.identifiers import NUM_BUCKETS
from tests.joined_traffic import (
    CONTENTS,
    TRAINING,
    publish,
    publish_impressions,
    total_views,
    views,
    wait_for,
)


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
