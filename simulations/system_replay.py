"""Sends a log through real streams, joiner, learner and shards, in a namespace of its own."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable
from typing import Any

from actors.cluster import ClusterPlan, SystemActors, start_actors
from actors.connections import Connections
from actors.feed_publisher import FeedPublisher
from actors.streams import StreamSettings, delete_streams, ensure_streams
from simulations.replay_log import ReplayLog
from simulations.replay_report import ReplayReport

_POLL_SECONDS = 0.2
_SILENCE_SECONDS = 120.0


class ReplayStalledError(Exception):
    """An actor failed, or nothing moved for a long time; the text says what the actors say."""


def replay_through_system(
    plan: ClusterPlan,
    log: ReplayLog,
    streams: StreamSettings,
    speed: float | None,
    advance: Callable[[int], None],
    at_end: Callable[[], None] = lambda: None,
) -> ReplayReport:
    """Replay, wait until every row is learned, report, and leave nothing behind. Ray must be initialized.

    at_end: called when all is learned, while the actors still run.
    """
    asyncio.run(_prepare(plan, streams))
    actors = start_actors(plan)
    try:
        started = time.monotonic()
        last = asyncio.run(_publish(plan, log, speed, advance))
        status = _wait_until_learned(actors, last)
        seconds = time.monotonic() - started
        at_end()
    finally:
        actors.stop()
        asyncio.run(clean_up(plan))
    learner = status["learner"]
    return ReplayReport(
        rows=len(log),
        examples=learner["examples"],
        auc_click=learner["auc"]["engage"],
        auc_long_view=learner["auc"]["long_view"],
        calibration_click=learner["calibration"]["engage"],
        calibration_long_view=learner["calibration"]["long_view"],
        rows_per_s=len(log) / seconds,
        seconds=seconds,
    )


async def _prepare(plan: ClusterPlan, streams: StreamSettings) -> None:
    async with await Connections.open(plan.endpoints, "replay") as connections:
        await ensure_streams(connections.js, connections.namespace, streams)


async def _publish(
    plan: ClusterPlan, log: ReplayLog, speed: float | None, advance: Callable[[int], None]
) -> dict[int, int]:
    """Publish window after window; returns the last FEED sequence of each partition."""
    last: dict[int, int] = {}
    began, first_time = time.monotonic(), None
    async with await Connections.open(plan.endpoints, "replay-publisher") as connections:
        publisher = FeedPublisher(connections.js, connections.namespace, connections.num_partitions)
        for window in log.windows():
            if first_time is None:
                first_time = window.last_time
            if speed is not None:
                due = began + (window.last_time - first_time) / speed
                await asyncio.sleep(max(due - time.monotonic(), 0))
            sequences = await asyncio.gather(
                *(publisher.publish(partition, message) for partition, message in window.messages)
            )
            for (partition, _), sequence in zip(window.messages, sequences, strict=True):
                last[partition] = max(sequence, last.get(partition, 0))
            advance(window.num_rows)
    return last


def _wait_until_learned(actors: SystemActors, last: dict[int, int]) -> dict[str, Any]:
    """Poll the joiner and the learner until everything published is behind them."""
    moved_at, seen = time.monotonic(), (-1, -1)
    while True:
        status = actors.status()
        for role in ("joiner", "learner"):
            if status[role]["failure"] is not None and not status[role]["running"]:
                raise ReplayStalledError(f"{role}: {status[role]['failure']}")
        joiner, learner = status["joiner"], status["learner"]
        joined = all(
            joiner["positions"].get(partition, 0) >= sequence for partition, sequence in last.items()
        )
        if joined and learner["examples"] >= joiner["examples"]:
            return status
        now = (joiner["examples"], learner["examples"])
        if now != seen:
            moved_at, seen = time.monotonic(), now
        elif time.monotonic() - moved_at > _SILENCE_SECONDS:
            raise ReplayStalledError(f"nothing moved for {_SILENCE_SECONDS:.0f} s: {status}")
        time.sleep(_POLL_SECONDS)


async def clean_up(plan: ClusterPlan) -> None:
    async with await Connections.open(plan.endpoints, "replay-end") as connections:
        await delete_streams(connections.js, connections.namespace)
        pattern = connections.namespace.key("*")
        keys = [key async for key in connections.redis.scan_iter(pattern, count=5_000)]
        for start in range(0, len(keys), 5_000):
            await connections.redis.delete(*keys[start : start + 5_000])
    shutil.rmtree(plan.snapshot_root, ignore_errors=True)
