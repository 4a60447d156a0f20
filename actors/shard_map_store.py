"""Keeps the map of shards in the store, where whoever needs it reads it and one change wins over another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from redis.asyncio import Redis
from redis.exceptions import WatchError

from actors.names import Namespace
from messages.codec import pack, unpack
from parameter_server.shard_map import ShardMap


class ShardMapUnavailableError(Exception):
    """The store does not answer, or holds no map for this namespace."""


class ShardMapSource(Protocol):
    """Reads the map of shards. Raises ShardMapUnavailableError after `patience_seconds`."""

    def read(self, patience_seconds: float = 0.0) -> ShardMap: ...


class ShardMapStore:
    """One key of a namespace. The map is the authority on who hosts what; shards fit themselves to it."""

    def __init__(self, redis: Redis, namespace: Namespace) -> None:
        self._redis = redis
        self._key = namespace.key("shard-map")
        self._problem_key = namespace.key("shard-map-problem")

    async def read(self) -> ShardMap | None:
        """Return the map; None where none has been made."""
        packed = await self._redis.get(self._key)
        return None if packed is None else ShardMap.from_wire(unpack(packed))

    async def shards(self) -> list[int]:
        """Return the shards that host a bucket. Raises ShardMapUnavailableError where there is no map."""
        known = await self.read()
        if known is None:
            raise ShardMapUnavailableError("there is no map of shards")
        return known.shards

    async def change(self, change: Callable[[ShardMap | None], ShardMap]) -> ShardMap:
        """Put what `change` makes of the map, made again if another came in between; returns the new map."""
        async with self._redis.pipeline(transaction=True) as transaction:
            while True:
                await transaction.watch(self._key)
                packed = await transaction.get(self._key)
                changed = change(None if packed is None else ShardMap.from_wire(unpack(packed)))
                transaction.multi()
                transaction.set(self._key, pack(changed.to_wire()))
                try:
                    await transaction.execute()
                except WatchError:
                    continue
                return changed

    async def tell_problem(self, problem: str | None) -> None:
        """Say why the map does not get on to its goal, for the person who waits for it; None: it does."""
        if problem is None:
            await self._redis.delete(self._problem_key)
        else:
            await self._redis.set(self._problem_key, problem)

    async def problem(self) -> str | None:
        told = await self._redis.get(self._problem_key)
        return None if told is None else told.decode()
