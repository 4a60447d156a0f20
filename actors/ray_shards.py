"""The shards' processes as whoever reshards needs them: started, called and ended by number."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import ray

from actors.names import RAY_NAMESPACE

_GONE_SECONDS = 10.0
_READY_SECONDS = 60.0


class ShardNotStartedError(Exception):
    """A new shard does not answer; where the cluster is full it waits for a node."""


class RayShards:
    """`actors.resharding.ShardControl` over Ray actors.

    start: starts a shard, or returns the one that there is. handles: by number, kept up to date: Ray ends an
    actor that nobody holds.
    """

    def __init__(
        self, start: Callable[[int], Any], handles: dict[int, Any], actor_name: Callable[[int], str]
    ) -> None:
        self._start = start
        self._handles = handles
        self._actor_name = actor_name

    def send(self, shard: int, method: str, *arguments: Any) -> Awaitable[Any]:
        if shard not in self._handles:  # this process began after the shard did
            self._handles[shard] = self._start(shard)
        sent: Awaitable[Any] = getattr(self._handles[shard], method).remote(*arguments)
        return sent

    async def open(self, shard: int) -> None:
        if shard not in self._handles:
            handle = await asyncio.to_thread(self._start, shard)
            try:
                await asyncio.wait_for(handle.statistics.remote(), _READY_SECONDS)
            except TimeoutError as error:
                raise ShardNotStartedError(
                    f"shard {shard} is not there after {_READY_SECONDS:.0f} s: is there a node for it?"
                ) from error
            self._handles[shard] = handle

    async def close_others(self, shards: list[int]) -> None:
        for shard in set(self._handles) - set(shards):
            ray.kill(self._handles.pop(shard))
            await self._wait_until_gone(shard)

    async def _wait_until_gone(self, shard: int) -> None:
        """Wait until the name is free: a shard of this number may be wanted again at once."""
        deadline = time.monotonic() + _GONE_SECONDS
        while time.monotonic() < deadline:
            try:
                ray.get_actor(self._actor_name(shard), namespace=RAY_NAMESPACE)
            except ValueError:
                return
            await asyncio.sleep(0.05)
