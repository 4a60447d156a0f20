"""People who ask for feeds at a steady rate, whatever becomes of the answers, by way of several addresses."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import httpx
import numpy as np

from simulations.feed_problem import feed_problem, was_not_asked

_FIRST_SECONDS = 5.0
_SECOND_SECONDS = 15.0
_PAUSE_SECONDS = 1.0
_SLATE = 5


@dataclass(slots=True)
class CrowdCounts:
    """problems: of requests that failed at first; failed: of those that failed once more."""

    num_requests: int = 0
    problems: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def report(self) -> dict[str, Any]:
        times = np.array(self.seconds or [float("nan")])
        return {
            "requests": self.num_requests,
            "retried": len(self.problems),
            "failed": len(self.failed),
            "p50_ms": round(1e3 * float(np.quantile(times, 0.5)), 1),
            "p99_ms": round(1e3 * float(np.quantile(times, 0.99)), 1),
        }


class FeedCrowd:
    """An open loop: a slow answer does not hold the next request back. A context manager.

    A request that fails is made once more, after a second, by way of the next address: so does an app behind
    a gateway. An address that takes no connection is passed over, both times. addresses: asked anew for each
    request.
    """

    def __init__(self, addresses: Callable[[], Sequence[str]], users: Sequence[str], rate: float) -> None:
        self.counts = CrowdCounts()
        self.rate = rate
        """Requests a second, from now on."""
        self._addresses = addresses
        self._users = users
        self._number = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self) -> FeedCrowd:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def begin_count(self) -> CrowdCounts:
        """Count anew; returns what was counted until now. Requests under way count where they began."""
        counts, self.counts = self.counts, CrowdCounts()
        return counts

    async def _run(self) -> None:
        limits = httpx.Limits(max_connections=256, max_keepalive_connections=64)
        asking: set[asyncio.Task[None]] = set()
        due = time.monotonic()
        async with httpx.AsyncClient(limits=limits, timeout=_FIRST_SECONDS) as http:
            while not self._ended.is_set():
                task = asyncio.create_task(self._ask_twice(http, self._number, self.counts))
                self._number += 1
                asking.add(task)
                task.add_done_callback(asking.discard)
                due = max(due + 1.0 / self.rate, time.monotonic() - 1.0)
                await asyncio.sleep(max(due - time.monotonic(), 0.0))
            await asyncio.gather(*asking)

    async def _ask_twice(self, http: httpx.AsyncClient, number: int, counts: CrowdCounts) -> None:
        counts.num_requests += 1
        began = time.monotonic()
        problem, place = await self._ask(http, number, number)
        if problem is None:
            counts.seconds.append(time.monotonic() - began)
            return
        counts.problems.append(problem)
        await asyncio.sleep(_PAUSE_SECONDS)
        async with httpx.AsyncClient(timeout=_SECOND_SECONDS) as again:
            problem, _ = await self._ask(again, number, place + 1)
        if problem is not None:
            counts.failed.append(problem)

    async def _ask(self, http: httpx.AsyncClient, number: int, first: int) -> tuple[str | None, int]:
        """Return what was wrong with the answer, None if nothing, and the place of the address that gave it.
        first: the place to begin with."""
        addresses = self._addresses()
        user = self._users[number % len(self._users)]
        problem, place = "there is no address", first
        for place in range(first, first + len(addresses)):
            address = addresses[place % len(addresses)]
            answer = await feed_problem(http, address, user, _SLATE)
            if answer is None:
                return None, place
            problem = f"{answer} ({address})"
            if not was_not_asked(answer):
                break
        return problem, place
