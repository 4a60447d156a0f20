"""Feeds and the events that follow them at a steady pace, and how long an event takes to be served.

    python -m simulations.benchmarks.freshness_load '{"url": "http://127.0.0.1:8000", "seconds": 20}'

A process of its own. Freshness is measured as a person would: how does this content score for me? I watch it
(or skip it); from the 202 on I ask until an answer's watermark covers the event and its score is another.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import uvloop
from pydantic import BaseModel, ConfigDict, Field

from simulations.benchmarks.http_connection import HttpConnection

_FIRST_POLL_SECONDS = 0.08
_POLL_SECONDS = 0.01
_GIVE_UP_SECONDS = 10.0
_BETWEEN_PROBES = 1.0
"""Each question costs a feed, and a probe asks half a dozen times, so what is asked adds a tenth to the feeds
of the load. What is asked later is found out later: the time between two questions counts against us."""


class FreshnessPlan(BaseModel):
    """Each feed is followed by events_per_s / feeds_per_s events about its contents, in one batch."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = ""
    num_users: int = Field(10_000, ge=1)
    events_per_s: float = Field(1_000.0, gt=0)
    feeds_per_s: float = Field(50.0, gt=0)
    seconds: float = Field(60.0, gt=0)
    warm_seconds: float = Field(5.0, ge=0)
    seed: int = 0


class FreshnessReport(BaseModel):
    """missed: probes whose event no answer had learned in time. failures: answers that refused."""

    probes: int
    missed: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    events_per_s: float
    feeds_per_s: float
    failures: int
    client_cpu: float


class RefusedError(Exception):
    """The API answered otherwise than hoped."""


class FreshnessRun:
    """One plan being carried out."""

    def __init__(self, plan: FreshnessPlan) -> None:
        self._plan = plan
        address = urlsplit(plan.url)
        self._host, self._port = address.hostname or "127.0.0.1", address.port or 80
        self._draws = random.Random(plan.seed)
        self._idle: list[HttpConnection] = []
        self._milliseconds: list[float] = []
        self._num_events = self._num_feeds = self._num_failures = self._num_missed = 0

    async def run(self) -> FreshnessReport:
        plan = self._plan
        load = asyncio.create_task(self._load())
        await asyncio.sleep(plan.warm_seconds)
        probing = asyncio.create_task(self._probe())
        events, feeds = self._num_events, self._num_feeds
        cpu, started = time.process_time(), time.perf_counter()
        await asyncio.sleep(plan.seconds)
        taken = time.perf_counter() - started
        for task in (load, probing):
            task.cancel()
        await asyncio.gather(load, probing, return_exceptions=True)
        times = self._milliseconds
        quantiles = np.quantile(times, [0.5, 0.95, 0.99]) if times else np.full(3, np.nan)
        return FreshnessReport(
            probes=len(times),
            missed=self._num_missed,
            p50_ms=round(float(quantiles[0]), 2),
            p95_ms=round(float(quantiles[1]), 2),
            p99_ms=round(float(quantiles[2]), 2),
            events_per_s=round((self._num_events - events) / taken, 1),
            feeds_per_s=round((self._num_feeds - feeds) / taken, 1),
            failures=self._num_failures,
            client_cpu=round((time.process_time() - cpu) / taken, 3),
        )

    async def _load(self) -> None:
        """Begin visits on time, whether earlier ones are over or not."""
        pace = 1 / self._plan.feeds_per_s
        visits: set[asyncio.Task[None]] = set()
        started, number = time.perf_counter(), 0
        try:
            while True:
                number += 1
                visit = asyncio.create_task(self._visit(self._draws.randrange(self._plan.num_users)))
                visits.add(visit)
                visit.add_done_callback(visits.discard)
                await asyncio.sleep(max(0.0, started + number * pace - time.perf_counter()))
        finally:
            for visit in list(visits):
                visit.cancel()

    async def _visit(self, user: int) -> None:
        count = round(self._plan.events_per_s / self._plan.feeds_per_s)
        user_id = f"bench-user-{user}"
        try:
            feed = await self._ask("GET", f"/v1/feed/{user_id}?limit=20")
            self._num_feeds += 1
            events = reactions(feed, user_id, count, self._draws)
            if events:
                await self._ask("POST", "/v1/events", {"events": events})
                self._num_events += len(events)
        except RefusedError:
            self._num_failures += 1

    async def _probe(self) -> None:
        number = 0
        while True:
            number += 1
            try:
                await self._measure(f"bench-probe-{self._plan.seed}-{number}", watches=bool(number % 2))
            except RefusedError:
                self._num_failures += 1
            await asyncio.sleep(_BETWEEN_PROBES)

    async def _measure(self, user_id: str, *, watches: bool) -> None:
        feed = await self._ask("GET", f"/v1/feed/{user_id}?limit=1")
        content = feed["items"][0]["content_id"]
        question = f"/v1/feed/{user_id}?limit=1&about={content}"
        before = (await self._ask("GET", question))["about"]["score"]
        event = {
            "event_type": "view" if watches else "skip",
            "user_id": user_id,
            "content_id": content,
            "request_id": feed["request_id"],
            "timestamp": time.time(),
            "watch_duration": 30.0 if watches else 0.5,
        }
        answer = await self._ask("POST", "/v1/events", {"events": [event]})
        accepted = time.perf_counter()
        (position,) = answer["positions"].values()
        await asyncio.sleep(_FIRST_POLL_SECONDS)
        while True:
            now = await self._ask("GET", question)
            waited = time.perf_counter() - accepted
            if now["watermark"]["position"] >= position and now["about"]["score"] != before:
                self._milliseconds.append(waited * 1e3)
                return
            if waited > _GIVE_UP_SECONDS:
                self._num_missed += 1
                return
            await asyncio.sleep(_POLL_SECONDS)

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Raises RefusedError."""
        connection = self._idle.pop() if self._idle else await HttpConnection.open(self._host, self._port)
        payload = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/json\r\n"
        status, answer = await connection.asked(
            f"{head}Content-Length: {len(payload)}\r\n\r\n".encode() + payload
        )
        if status == 0:
            raise RefusedError("the connection broke")
        self._idle.append(connection)
        if status not in (200, 202):
            raise RefusedError(f"{status} {answer[:200]!r}")
        decoded: dict[str, Any] = json.loads(answer)
        return decoded


def reactions(
    feed: Mapping[str, Any], user_id: str, count: int, draws: random.Random
) -> list[dict[str, Any]]:
    """Return `count` events about a feed's contents, each watched or skipped first, then liked or shared."""
    items = feed["items"]
    events: list[dict[str, Any]] = []
    now = time.time()
    for number in range(count if items else 0):
        watched = draws.random() < 0.5
        kinds = ("view" if watched else "skip", "like", "share", "comment", "save")
        kind = kinds[number // len(items) % len(kinds)]
        event = {
            "event_type": kind,
            "user_id": user_id,
            "content_id": items[number % len(items)]["content_id"],
            "request_id": feed["request_id"],
            "timestamp": now,
        }
        if kind in ("view", "skip"):
            event["watch_duration"] = 5.0 + 20.0 * draws.random() if watched else draws.random()
        events.append(event)
    return events


def main() -> None:
    """Carry out the plan of the first argument and print the report as JSON."""
    plan = FreshnessPlan.model_validate_json(sys.argv[1])
    print(json.dumps(uvloop.run(FreshnessRun(plan).run()).model_dump()))


if __name__ == "__main__":
    main()
