"""How fast the running parts learn, and how soon: FEED to the shards through broker, Ray and processes.

Three measurements in a namespace of their own. First a backlog of FEED is joined while nobody learns, then
EXAMPLES are learned while nobody joins, then both at once while more is published as fast as it goes. Rates
are slopes between a tenth and nine tenths of the way, so neither the start of a process nor the last poll
counts.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import ray

from actors.cluster import ClusterPlan, SystemActors, start_actors
from actors.connections import Connections
from actors.names import Namespace
from actors.streams import StreamSettings, delete_streams, ensure_streams
from simulations.benchmarks.event_latency import LatencyReport, measure_latency
from simulations.benchmarks.learning_feed import LearningFeedSettings, feed_messages
from simulations.benchmarks.live_feed import live_messages
from simulations.system_replay import clean_up

_POLL_SECONDS = 0.25
"""Between two looks at what all actors say, which is work for them: a rate is read between looks anyway."""
_SILENCE_SECONDS = 60.0
_PUBLISHED_AT_ONCE = 256

Say = Callable[[str], None]


class BenchmarkStalledError(Exception):
    """An actor failed, or nothing moved for a long time; the text says what the actors say."""


@dataclass(frozen=True, slots=True)
class SystemRates:
    """Per second: events joined alone, examples learned alone, and events both joined and learned while they
    were published. latency: at a steady rate, from the offer of an event to the last shard."""

    joined_events_per_s: float
    examples_per_s: float
    feed_to_shard_events_per_s: float
    latency: LatencyReport


def measure_system(
    plan: ClusterPlan,
    feed: LearningFeedSettings,
    streams: StreamSettings,
    *,
    offered_per_s: float,
    latency_seconds: float,
    slate: int,
    say: Say = lambda _: None,
) -> SystemRates:
    """Start the parts, measure, and leave nothing behind. Ray must be initialized.

    feed: `num_pairs` of it are sent for each rate. slate: while latency is measured, as many contents were
    served at once, and as many events share an impression. Raises BenchmarkStalledError.
    """
    asyncio.run(_prepare(plan, streams))
    actors: SystemActors | None = None
    try:
        say("joining alone, through the system")
        publish(plan, _messages(feed, "joined"))
        actors = start_actors(plan.model_copy(update={"learning": False}))
        joined = rate_of(actors, "joiner", feed.num_pairs)
        actors.stop()
        _wait_until_gone(plan, actors)
        say("learning alone, through the system")
        actors = start_actors(plan)
        learned = rate_of(actors, "learner", feed.num_pairs)
        say("joining and learning, through the system")
        began = time.monotonic()
        publish(plan, _messages(feed, "both"))
        both = rate_of(actors, "learner", 2 * feed.num_pairs, after=feed.num_pairs, began=began)
        say(f"latency at {offered_per_s:,.0f} events per second")
        live = _as_of_now(feed, "live").model_copy(
            update={"num_pairs": round(offered_per_s * latency_seconds)}
        )
        latency = measure_latency(plan, actors, list(live_messages(live, slate)), offered_per_s)
    finally:
        if actors is not None:
            actors.stop()
        asyncio.run(clean_up(plan))
    return SystemRates(joined, learned, both, latency)


def publish(plan: ClusterPlan, messages: Sequence[tuple[int, bytes]]) -> None:
    """Put encoded messages on FEED, many under way at once; returns when all are acknowledged."""

    async def send() -> None:
        async with await Connections.open(plan.endpoints, "benchmark") as connections:
            namespace = connections.namespace
            for start in range(0, len(messages), _PUBLISHED_AT_ONCE):
                acknowledged = [
                    await connections.js.publish_async(
                        namespace.feed_subject(partition), data, stream=namespace.feed_stream
                    )
                    for partition, data in messages[start : start + _PUBLISHED_AT_ONCE]
                ]
                await asyncio.gather(*acknowledged)

    asyncio.run(send())


def rate_of(
    actors: SystemActors, role: str, until: int, *, after: int = 0, began: float | None = None
) -> float:
    """Return how many examples a second a worker goes through between a tenth and nine tenths of the way.

    Waits until it has done `until`; what it had done before, `after`, does not count. began: when the first
    could have been done, for work that was done in part before the first look; the monotonic clock's seconds.
    """
    looks: list[tuple[float, int]] = [] if began is None else [(began, after)]
    moved_at = time.monotonic()
    while not looks or looks[-1][1] < until:
        status = actors.status()
        if status[role].get("failure"):
            raise BenchmarkStalledError(f"{role}: {status[role]['failure']}")
        done = int(status[role]["examples"])
        if not looks or done > looks[-1][1]:
            moved_at = time.monotonic()
        elif time.monotonic() - moved_at > _SILENCE_SECONDS:
            raise BenchmarkStalledError(f"nothing moved for {_SILENCE_SECONDS:.0f} s: {status}")
        looks.append((time.monotonic(), done))
        time.sleep(_POLL_SECONDS)
    return slope(looks, after, until)


def slope(looks: Sequence[tuple[float, int]], after: int, until: int) -> float:
    """Return examples a second in the middle eight tenths of the way. looks: (seconds, examples done)."""
    times, done = np.array(looks, dtype=np.float64).T
    first = int(np.argmax(done > after))  # until it moves, it may not have been there yet
    start = max(first - 1, 0)
    marks = after + (until - after) * np.array([0.1, 0.9])
    marks[0] = max(marks[0], done[start])
    low, high = np.interp(marks, done[start:], times[start:])
    return float((marks[1] - marks[0]) / max(high - low, 1e-9))


def _messages(feed: LearningFeedSettings, run: str) -> list[tuple[int, bytes]]:
    return [(partition, data) for partition, _, data in feed_messages(_as_of_now(feed, run))]


def _as_of_now(feed: LearningFeedSettings, run: str) -> LearningFeedSettings:
    """Return a feed whose time is now: its events are offered as they happen."""
    return feed.model_copy(update={"run": run, "start": time.time(), "events_per_s": 1e6})


def _wait_until_gone(plan: ClusterPlan, actors: SystemActors) -> None:
    """Wait until the names of actors that were ended may be taken again."""
    names = {Namespace(plan.endpoints.namespace).actor(role) for role in actors.roles()}
    deadline = time.monotonic() + _SILENCE_SECONDS
    while names & set(ray.util.list_named_actors()):
        if time.monotonic() > deadline:
            raise BenchmarkStalledError(f"actors did not end: {sorted(names)}")
        time.sleep(_POLL_SECONDS)


async def _prepare(plan: ClusterPlan, streams: StreamSettings) -> None:
    async with await Connections.open(plan.endpoints, "benchmark") as connections:
        await delete_streams(connections.js, connections.namespace)
        await ensure_streams(connections.js, connections.namespace, streams)
