"""`foryou bench durability`: what each `services.nats_sync` costs, and what SIGKILL of NATS takes with it.

A process that is killed leaves what it wrote to the operating system; only a loss of power can take what was
not synced. `default` therefore loses nothing here, and the figures say what `always` costs for the rest.
"""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Literal

from actors.connections import Connections, EndpointSettings
from actors.feed_publisher import FeedPublisher, StreamUnavailableError
from actors.stream_reader import StreamReader
from actors.streams import StreamSettings, ensure_streams
from foryou.local_services import LocalServices, StateFolder
from messages.feed import FeedMessage

_NUM_PARTITIONS = 4
_IN_FLIGHT = 64
_LIMITS = StreamSettings(max_bytes=2**28, max_dead_bytes=2**20)
_FETCH_MESSAGES = 1_000
_FETCH_SECONDS = 1.0
_BACK_SECONDS = 15.0


def run_durability_command(num_events: int) -> dict[str, Any]:
    """Measure both settings, each on its own server. num_events: messages of one event, for each part."""
    report: dict[str, Any] = {"events": num_events}
    for sync in ("default", "always"):
        with tempfile.TemporaryDirectory(prefix="foryou-durability-") as folder:
            report |= {
                f"{sync}_{name}": value
                for name, value in asyncio.run(_measure(Path(folder), sync, num_events)).items()
            }
    return report


async def _measure(folder: Path, sync: Literal["default", "always"], num_events: int) -> dict[str, Any]:
    with StateFolder(folder) as state, LocalServices(state, None, None, sync) as services:
        endpoints = EndpointSettings(
            nats_url=services.nats_url, store_url=services.store_url, num_partitions=_NUM_PARTITIONS
        )
        async with await Connections.open(endpoints, "durability") as connections:
            await ensure_streams(connections.js, connections.namespace, _LIMITS)
            alone = await _publish(connections, range(num_events // 10), in_flight=1)
            together = await _publish(connections, range(num_events, 2 * num_events), in_flight=_IN_FLIGHT)
            killing = asyncio.create_task(_kill_midway(services, together.seconds / 2))
            killed = await _publish(connections, range(2 * num_events, 3 * num_events), in_flight=_IN_FLIGHT)
            await killing
            kept = await _kept(connections)
    accepted = alone.accepted | together.accepted | killed.accepted
    return {
        "ms_median": round(statistics.median(alone.milliseconds), 3),
        "events_per_s": round(len(together.accepted) / together.seconds),
        "accepted": len(accepted),
        "lost_by_sigkill": len(accepted - kept),
    }


class _Published:
    """accepted: event ids that were acknowledged. milliseconds: each took. seconds: all together."""

    def __init__(self) -> None:
        self.accepted: set[str] = set()
        self.milliseconds: list[float] = []
        self.seconds = 0.0


async def _publish(connections: Connections, numbers: range, *, in_flight: int) -> _Published:
    published = _Published()
    publisher = FeedPublisher(connections.js, connections.namespace, _NUM_PARTITIONS)
    waiting = iter(numbers)

    async def send() -> None:
        for number in waiting:
            event = {
                "event_type": "like",
                "event_id": f"event-{number}",
                "user_id": f"user-{number % 97}",
                "content_id": "content",
                "timestamp": time.time(),
            }
            began = time.perf_counter()
            try:
                await publisher.publish_events([event])
            except StreamUnavailableError:
                continue
            published.milliseconds.append((time.perf_counter() - began) * 1e3)
            published.accepted.add(f"event-{number}")

    began = time.perf_counter()
    await asyncio.gather(*(send() for _ in range(in_flight)))
    published.seconds = time.perf_counter() - began
    return published


async def _kill_midway(services: LocalServices, seconds: float) -> None:
    await asyncio.sleep(seconds)
    server = services.servers["nats"]
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)


async def _kept(connections: Connections) -> set[str]:
    """Return the event ids that the stream holds."""
    namespace = connections.namespace
    reader = StreamReader(connections.nats, namespace.feed_stream, [namespace.feed_subject("*")], 1)
    async with asyncio.timeout(_BACK_SECONDS):
        last = (await connections.js.stream_info(namespace.feed_stream)).state.last_seq
    kept: set[str] = set()
    while reader.next_sequence <= last:
        for message in await reader.fetch(_FETCH_MESSAGES, _FETCH_SECONDS):
            kept |= {body["event_id"] for _, body in FeedMessage.decode(message.data).records}
    return kept
