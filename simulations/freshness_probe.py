"""How long it takes from "accepted" until what is served has learned the event, measured from outside."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Mapping

import numpy as np

from messages.identifiers import partition_of
from simulations.feed_api import FeedApi, FeedApiError

_POLL_SECONDS = 0.01
_GIVE_UP_SECONDS = 30.0


class FreshnessProbe:
    """Takes one accepted batch of events at a time and asks for a feed until an answer has learned it.

    A feed's answer names the position of the asking person's partition, so each partition has an onlooker who
    asks for one content now and then and never does anything: nothing is learned from that. The time includes
    the answer's own; it is at most one poll too long.
    """

    def __init__(self, api: FeedApi, *, num_partitions: int, pause_seconds: float = 1.0) -> None:
        self._api = api
        self._pause_seconds = pause_seconds
        self._onlookers = [_onlooker(partition, num_partitions) for partition in range(num_partitions)]
        self._offer: tuple[int, int, float] | None = None
        self._offered = asyncio.Event()
        self._milliseconds: list[float] = []
        self.num_missed = 0
        """Events that no answer had learned before the probe gave up."""
        self.num_failures = 0

    def accepted(self, positions: Mapping[int, int]) -> None:
        """Events were acknowledged just now, at these FEED positions by partition."""
        if not self._offered.is_set():
            partition, position = next(iter(positions.items()))
            self._offer = (partition, position, time.perf_counter())
            self._offered.set()

    async def run(self) -> None:
        """Measure until cancelled; what the API refuses is counted."""
        while True:
            await self._offered.wait()
            assert self._offer is not None
            try:
                await self._measure(*self._offer)
            except FeedApiError:
                self.num_failures += 1
            await asyncio.sleep(self._pause_seconds)
            self._offered.clear()

    def quantile(self, share: float) -> float:
        """Return a quantile of the times so far, milliseconds; NaN before there are any."""
        return float(np.quantile(self._milliseconds, share)) if self._milliseconds else float("nan")

    @property
    def num_measured(self) -> int:
        return len(self._milliseconds)

    async def _measure(self, partition: int, position: int, accepted_at: float) -> None:
        while True:
            answer = await self._api.feed(self._onlookers[partition], 1)
            waited = time.perf_counter() - accepted_at
            if answer.partition != partition:
                raise ValueError(
                    f"{self._onlookers[partition]} belongs to partition {answer.partition}, not {partition}: "
                    "the system has another number of partitions"
                )
            if answer.position >= position:
                self._milliseconds.append(waited * 1e3)
                return
            if waited > _GIVE_UP_SECONDS:
                self.num_missed += 1
                return
            await asyncio.sleep(_POLL_SECONDS)


def _onlooker(partition: int, num_partitions: int) -> str:
    names = (f"onlooker-{number}" for number in itertools.count())
    return next(name for name in names if partition_of(name, num_partitions) == partition)
