"""Starts and ends joiners beside the first, until there are as many as are wanted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from redis.exceptions import RedisError

from actors.connections import EndpointSettings
from actors.crews import CrewStore
from actors.names import Namespace
from actors.user_store import connect_store

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.5
_STOP_SECONDS = 8.0


class JoinerCrew:
    """May be passed to another process. A joiner that has no share does nothing, so one that is ended too
    late, or starts too soon, does no harm."""

    def __init__(self, endpoints: EndpointSettings, start: Callable[[int], Any]) -> None:
        """start: starts a member, or returns the one that there is."""
        self._endpoints = endpoints
        self._start = start
        self._members: dict[int, Any] = {}
        """Handles, kept because Ray ends an actor that nobody holds."""

    async def run(self, stop: asyncio.Event) -> None:
        """Follow the number in the store until stopped."""
        redis = connect_store(self._endpoints.store_url)
        store = CrewStore(redis, Namespace(self._endpoints.namespace))
        try:
            while not stop.is_set():
                try:
                    await self._follow((await store.read("joiners")).number)
                except RedisError as error:
                    logger.warning("how many joiners there should be is not known: %s", error)
                try:
                    await asyncio.wait_for(stop.wait(), _LOOK_SECONDS)
                except TimeoutError:
                    continue
        finally:
            await redis.aclose()

    async def _follow(self, number: int) -> None:
        for member in range(1, number):
            if member not in self._members:
                self._members[member] = await asyncio.to_thread(self._start, member)
        for member in [member for member in self._members if member >= number]:
            await asyncio.to_thread(_end, self._members.pop(member))

    def end(self) -> None:
        """End all that were started here."""
        while self._members:
            _end(self._members.popitem()[1])


def _end(joiner: Any) -> None:
    import ray

    try:
        ray.get(joiner.stop.remote(), timeout=_STOP_SECONDS)
    except (ray.exceptions.RayError, TimeoutError):
        logger.warning("a joiner did not stop by itself", exc_info=True)
    ray.kill(joiner)
