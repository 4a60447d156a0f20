"""How long an event takes from its offer to the shards, at a steady rate that does not wait for answers.

Latency is counted from the moment an event was due, not from when it could be sent: a system that cannot keep
up cannot hide it ("coordinated omission": Tene, How not to measure latency).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from nats.js.api import PubAck

from actors.cluster import ClusterPlan, SystemActors
from actors.connections import Connections
from messages.arrays import IntArray

_WARM_UP_SHARE = 0.2
_POLL_SECONDS = 0.02
"""What came between two looks came with the second. Looking is work for the shards, so not more often."""
_OFFER_SECONDS = 0.005
"""Events that are due since the last offer go together, as late as they are: offering is work too."""
_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class LatencyReport:
    """Milliseconds; accepted_per_s: what the broker took, the offered rate where it kept up."""

    p50_ms: float
    p95_ms: float
    num_events: int
    accepted_per_s: float


class EventsNeverLearnedError(Exception):
    """Events did not reach the shards in half a minute."""


def measure_latency(
    plan: ClusterPlan, actors: SystemActors, messages: Sequence[tuple[int, bytes]], offered_per_s: float
) -> LatencyReport:
    """Offer a message of one event, due each 1 / `offered_per_s` seconds, and watch where every shard stands.

    The first fifth warms up and is not counted. Raises EventsNeverLearnedError.
    """
    return asyncio.run(_measure(plan, actors, messages, offered_per_s))


async def _measure(
    plan: ClusterPlan, actors: SystemActors, messages: Sequence[tuple[int, bytes]], offered_per_s: float
) -> LatencyReport:
    waiting: dict[int, deque[tuple[int, float, int]]] = {}
    latencies = np.full(len(messages), np.nan)
    began = time.monotonic()
    async with await Connections.open(plan.endpoints, "benchmark-latency") as connections:
        namespace = connections.namespace

        def note(number: int, partition: int, due: float, published: asyncio.Future[PubAck]) -> None:
            if not published.cancelled() and published.exception() is None:
                sequence = int(published.result().seq)
                waiting.setdefault(partition, deque()).append((sequence, due, number))

        async def offer_all() -> float:
            offers: list[asyncio.Future[PubAck]] = []
            while len(offers) < len(messages):
                num_due = min(len(messages), 1 + int((time.monotonic() - began) * offered_per_s))
                for number in range(len(offers), num_due):
                    partition, data = messages[number]
                    published = await connections.js.publish_async(
                        namespace.feed_subject(partition), data, stream=namespace.feed_stream
                    )
                    due = began + number / offered_per_s
                    published.add_done_callback(partial(note, number, partition, due))
                    offers.append(published)
                await asyncio.sleep(_OFFER_SECONDS)
            await asyncio.wait_for(asyncio.gather(*offers), _PATIENCE_SECONDS)
            return time.monotonic() - began

        offering = asyncio.ensure_future(offer_all())
        moved_at = time.monotonic()
        while not offering.done() or any(waiting.values()):
            reached = await _feed_positions(actors, plan.model.group)
            now = time.monotonic()
            for partition, events in waiting.items():
                left = deque(event for event in events if event[0] > reached[partition])
                for sequence, due, number in events:
                    if sequence <= reached[partition]:
                        latencies[number] = now - due
                        moved_at = now
                waiting[partition] = left
            if now - moved_at > _PATIENCE_SECONDS:
                raise EventsNeverLearnedError(f"{sum(map(len, waiting.values()))} events: {actors.status()}")
            await asyncio.sleep(_POLL_SECONDS)
        seconds = await offering
    counted = latencies[round(len(latencies) * _WARM_UP_SHARE) :]
    p50, p95 = np.quantile(counted, [0.5, 0.95]) * 1_000
    return LatencyReport(float(p50), float(p95), len(counted), len(messages) / seconds)


async def _feed_positions(actors: SystemActors, group: str) -> dict[int, int]:
    """Return, by partition, up to where every bucket of every shard has learned FEED."""
    learned: list[IntArray] = await asyncio.gather(
        *(shard.learned_feed.remote(group) for shard in actors.shards.values())
    )
    return {partition: int(feed) for partition, feed in enumerate(np.min(learned, axis=0))}
