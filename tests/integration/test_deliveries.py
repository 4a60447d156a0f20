"""A consumer whose deliveries are asked for ahead, on a real broker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from nats.js.api import AckPolicy, ConsumerConfig

from actors import deliveries as module
from actors.connections import Connections, EndpointSettings
from actors.deliveries import Deliveries, DeliveriesEndedError
from actors.streams import StreamSettings, ensure_streams

DEADLINE_SECONDS = 20.0


def run(scenario: Coroutine[Any, Any, None]) -> None:
    async def in_time() -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            await scenario

    asyncio.run(in_time())


@asynccontextmanager
async def delivering(endpoints: EndpointSettings) -> AsyncIterator[tuple[Connections, Deliveries]]:
    async with await Connections.open(endpoints, "test") as connections:
        limits = StreamSettings(max_bytes=2**24, max_dead_bytes=2**20)
        await ensure_streams(connections.js, connections.namespace, limits)
        deliveries = Deliveries(connections.nats, connections.namespace.feed_stream)
        await deliveries.open(ConsumerConfig(ack_policy=AckPolicy.NONE, mem_storage=True))
        yield connections, deliveries
        await deliveries.close()


async def publish(connections: Connections, numbers: range) -> None:
    for number in numbers:
        await connections.js.publish_async(connections.namespace.feed_subject(0), str(number).encode())
    await connections.js.publish_async_completed()


async def take(deliveries: Deliveries, count: int, at_once: int) -> list[int]:
    taken: list[int] = []
    while len(taken) < count:
        messages = await deliveries.take(at_once, timeout=1.0)
        assert len(messages) <= at_once
        taken += [int(message.data) for message in messages]
    return taken


def test_many_more_than_are_asked_for_at_once_come_in_order_and_no_more_of_them_wait_here(
    endpoints: EndpointSettings,
) -> None:
    async def scenario() -> None:
        async with delivering(endpoints) as (connections, deliveries):
            await publish(connections, range(1_000))
            assert await take(deliveries, 10, at_once=10) == list(range(10))
            assert (await deliveries.info()).delivered.consumer_seq <= 10 + module._AHEAD
            assert await take(deliveries, 990, at_once=64) == list(range(10, 1_000))
            assert await deliveries.take(1, timeout=0.05) == []

    run(scenario())


def test_what_comes_after_a_request_was_over_is_delivered(
    endpoints: EndpointSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_REQUEST_SECONDS", 0.3)
    monkeypatch.setattr(module, "_HEARTBEAT_SECONDS", 0.1)

    async def scenario() -> None:
        async with delivering(endpoints) as (connections, deliveries):
            for start in range(0, 900, 300):  # beyond half of what is asked for: two requests are open
                await publish(connections, range(start, start + 300))
                assert await take(deliveries, 300, at_once=50) == list(range(start, start + 300))
                over = time.monotonic() + 2 * module._REQUEST_SECONDS
                while time.monotonic() < over:
                    assert await deliveries.take(1, timeout=0.1) == []

    run(scenario())


def test_who_waits_for_a_consumer_that_was_deleted_is_told(endpoints: EndpointSettings) -> None:
    async def scenario() -> None:
        async with delivering(endpoints) as (connections, deliveries):
            name = (await deliveries.info()).name
            await connections.js.delete_consumer(connections.namespace.feed_stream, name)
            with pytest.raises(DeliveriesEndedError, match="Consumer Deleted"):
                await deliveries.take(1, timeout=DEADLINE_SECONDS)

    run(scenario())


def test_a_consumer_that_gives_no_sign_of_itself_is_given_up(
    endpoints: EndpointSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SILENCE_SECONDS", 0.3)  # the broker's first sign would come later

    async def scenario() -> None:
        async with delivering(endpoints) as (connections, deliveries):
            await publish(connections, range(3))
            assert await take(deliveries, 3, at_once=1) == [0, 1, 2]
            with pytest.raises(DeliveriesEndedError, match="no sign"):
                await deliveries.take(1, timeout=0.5)

    run(scenario())
