"""NATS and Valkey killed under us: back on the same port with all they acknowledged, and work goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from redis import Redis

from actors.connections import Connections, EndpointSettings
from actors.feed_publisher import FeedPublisher, StreamUnavailableError
from actors.joiner_actor import JoinerActor
from actors.stream_reader import StreamReader
from actors.streams import StreamSettings, ensure_streams
from foryou.local_services import LocalServices, StateFolder
from learners.joiner import JoinerSettings
from messages.feed import FeedMessage

DEADLINE_SECONDS = 20.0
NUM_EVENTS = 300


def like(number: int) -> dict[str, Any]:
    user = f"user-{number % 7}"
    about = {"user_id": user, "content_id": "c", "timestamp": time.time()}
    return {"event_type": "like", "event_id": f"like-{number}", **about}


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture(params=["default", "always"])
def services(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LocalServices]:
    sync: Literal["default", "always"] = request.param
    with LocalServices(StateFolder(tmp_path), None, None, sync) as running:
        yield running


def endpoints_of(services: LocalServices) -> EndpointSettings:
    return EndpointSettings(nats_url=services.nats_url, store_url=services.store_url, num_partitions=2)


def kill(services: LocalServices, name: str) -> None:
    server = services.servers[name]
    before = server.num_restarts
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    wait_for(lambda: server.num_restarts > before)


async def prepared(endpoints: EndpointSettings) -> Connections:
    connections = await Connections.open(endpoints, "test")
    limits = StreamSettings(max_bytes=2**26, max_dead_bytes=2**20)
    await ensure_streams(connections.js, connections.namespace, limits)
    return connections


def test_accepted_events_are_in_the_stream_after_nats_was_killed(services: LocalServices) -> None:
    async def scenario() -> None:
        async with await prepared(endpoints_of(services)) as connections:
            publisher = FeedPublisher(connections.js, connections.namespace, 2)
            accepted: list[int] = []

            async def send(number: int) -> None:
                try:
                    await publisher.publish_events([like(number)])
                except StreamUnavailableError:
                    return
                accepted.append(number)

            sending = [asyncio.create_task(send(number)) for number in range(NUM_EVENTS)]
            await asyncio.wait(sending[: NUM_EVENTS // 5])
            await asyncio.to_thread(kill, services, "nats")
            await asyncio.gather(*sending)
            namespace = connections.namespace
            reader = StreamReader(connections.nats, namespace.feed_stream, [namespace.feed_subject("*")], 1)
            kept: set[str] = set()
            while messages := await reader.fetch(NUM_EVENTS, 0.5):
                feeds = [FeedMessage.decode(message.data) for message in messages]
                kept |= {body["event_id"] for feed in feeds for _, body in feed.records}
            assert {f"like-{number}" for number in accepted} <= kept

    asyncio.run(scenario())


def test_states_survive_a_killed_store(tmp_path: Path) -> None:
    with LocalServices(StateFolder(tmp_path), None, None) as services:
        store = Redis.from_url(services.store_url)
        for number in range(200):
            store.set(f"key-{number}", number)
        kill(services, "valkey")
        wait_for(lambda: store.ping())
        assert store.dbsize() == 200
        store.close()


def test_a_joiner_waits_out_both_and_goes_on(tmp_path: Path) -> None:
    with LocalServices(StateFolder(tmp_path), None, None) as services:
        endpoints = endpoints_of(services)

        async def publish(first: int, last: int) -> None:
            async with await prepared(endpoints) as connections:
                publisher = FeedPublisher(connections.js, connections.namespace, 2)
                for number in range(first, last):
                    await publisher.publish_events([like(number)])

        asyncio.run(publish(0, 50))
        joiner = JoinerActor(endpoints, JoinerSettings(), range(2))
        try:
            wait_for(lambda: joiner.status()["examples"] == 50)
            for name in ("nats", "valkey"):
                kill(services, name)
            asyncio.run(publish(50, 90))
            wait_for(lambda: joiner.status()["examples"] == 90)
            wait_for(lambda: joiner.status()["failure"] is None)
            assert joiner.status()["running"]
        finally:
            joiner.stop()
