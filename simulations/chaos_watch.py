"""What people see meanwhile: feeds that fail though asked again, and when what comes in is served again."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import httpx

from simulations.feed_problem import feed_problem

_PROBE_EVERY_SECONDS = 0.25
_POLL_EVERY_SECONDS = 0.1
_TIMEOUT_SECONDS = 15.0
_RETRY_AFTER_SECONDS = 1.0
_SLATE = 5


@dataclass(slots=True)
class FeedProbe:
    """Asks for feeds all the time, as an app does: once more, after a second and on a new connection, where
    that failed."""

    base_url: str
    users: list[str]
    num_requests: int = 0
    num_retried: int = 0
    failed: list[str] = field(default_factory=list)

    async def run(self) -> None:
        """Probe until cancelled."""
        async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS) as http:
            while True:
                user = self.users[self.num_requests % len(self.users)]
                self.num_requests += 1
                if await feed_problem(http, self.base_url, user, _SLATE) is not None:
                    self.num_retried += 1
                    await asyncio.sleep(_RETRY_AFTER_SECONDS)
                    async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS) as again:
                        problem = await feed_problem(again, self.base_url, user, _SLATE)
                    if problem is not None:
                        self.failed.append(problem)
                await asyncio.sleep(_PROBE_EVERY_SECONDS)


@dataclass(slots=True)
class _Awaited:
    kind: str
    since: float
    marker: tuple[int, int] | None = None


class RecoveryWatch:
    """Measures from the end of a fault (of a kill: at once) until a message published after it is served.

    Everything must work for that: broker, joiner, store, learner, shards, model actor, replica, proxy.
    """

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._awaited: list[_Awaited] = []
        self.seconds: list[tuple[str, float]] = []

    @property
    def num_awaited(self) -> int:
        return len(self._awaited)

    def fault_over(self, kind: str) -> None:
        self._awaited.append(_Awaited(kind, time.monotonic()))

    def published(self, partition: int, sequence: int) -> None:
        """Hear that FEED has one more message: the first after a fault is its marker."""
        for awaited in self._awaited:
            if awaited.marker is None:
                awaited.marker = (partition, sequence)

    async def run(self) -> None:
        """Poll until cancelled."""
        async with httpx.AsyncClient(base_url=self._base_url, timeout=_TIMEOUT_SECONDS) as http:
            while True:
                if any(awaited.marker for awaited in self._awaited):
                    await self._poll(http)
                await asyncio.sleep(_POLL_EVERY_SECONDS)

    async def _poll(self, http: httpx.AsyncClient) -> None:
        try:
            response = await http.get("/v1/status")
        except httpx.HTTPError:
            return
        if response.is_error:
            return
        served = {int(name): part["feed"] for name, part in response.json()["partitions"].items()}
        now = time.monotonic()
        for awaited in tuple(self._awaited):
            if awaited.marker is not None and served.get(awaited.marker[0], 0) >= awaited.marker[1]:
                self.seconds.append((awaited.kind, now - awaited.since))
                self._awaited.remove(awaited)
