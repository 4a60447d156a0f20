"""Finds the shards of a namespace, however many there are by now: the map from the store, actors by name."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from redis.asyncio import Redis
from redis.exceptions import RedisError

from actors.connections import EndpointSettings
from actors.names import Namespace
from actors.parameter_client import RemoteShard
from actors.shard_map_store import ShardMapStore, ShardMapUnavailableError
from actors.user_store import connect_store
from parameter_server.shard_map import ShardMap

_PATIENCE_SECONDS = 1.0
_RETRY_SECONDS = 0.2


class ShardDirectory:
    """May be passed to other processes. It connects for each call: most read the map seldom."""

    def __init__(self, endpoints: EndpointSettings, ray_namespace: str) -> None:
        self._endpoints = endpoints
        self._namespace = Namespace(endpoints.namespace)
        self._ray_namespace = ray_namespace

    def connected(self) -> ConnectedShardDirectory:
        """Return the same over one connection, to be opened by `async with`."""
        return ConnectedShardDirectory(self._endpoints, self._ray_namespace)

    def actor_name(self, shard: int) -> str:
        return self._namespace.actor(f"shard-{shard}")

    def shard(self, shard: int) -> RemoteShard:
        """Return a shard by its name. It may be gone for good: callers wait a second, then read the map."""
        return RemoteShard(self.actor_name(shard), self._ray_namespace, _PATIENCE_SECONDS)

    async def read(self) -> ShardMap:
        """Return the map. Raises ShardMapUnavailableError."""
        async with self.store() as store:
            known = await store.read()
        if known is None:
            raise ShardMapUnavailableError(f"namespace {self._namespace.name!r} has no map of shards")
        return known

    async def change(self, change: Callable[[ShardMap], ShardMap]) -> ShardMap:
        """Change the map that is there. Raises ShardMapUnavailableError, and what `change` raises."""

        def change_known(known: ShardMap | None) -> ShardMap:
            if known is None:
                raise ShardMapUnavailableError(f"namespace {self._namespace.name!r} has no map of shards")
            return change(known)

        async with self.store() as store:
            return await store.change(change_known)

    async def begin(self, num_shards: int) -> ShardMap:
        """Return the map by which to start all shards, while none runs; num_shards: of the settings."""

        def begun(known: ShardMap | None) -> ShardMap:
            return ShardMap.beginning(num_shards) if known is None else known.started_with(num_shards)

        async with self.store() as store:
            return await store.change(begun)

    async def tell_problem(self, problem: str | None) -> None:
        async with self.store() as store:
            await store.tell_problem(problem)

    @asynccontextmanager
    async def store(self) -> AsyncIterator[ShardMapStore]:
        """Connect; what the store raises is raised as ShardMapUnavailableError."""
        try:
            async with self.store_client() as redis:
                yield ShardMapStore(redis, self._namespace)
        except (RedisError, OSError) as error:
            raise ShardMapUnavailableError(f"the map of shards cannot be read: {error}") from error

    @asynccontextmanager
    async def store_client(self) -> AsyncIterator[Redis]:
        """Connect, for what lies beside the map."""
        redis = connect_store(self._endpoints.store_url)
        try:
            yield redis
        finally:
            await redis.aclose()


class ConnectedShardDirectory(ShardDirectory):
    """Looks over one connection, for who looks again and again. It stays in the event loop that made it."""

    @asynccontextmanager
    async def store_client(self) -> AsyncIterator[Redis]:
        yield self._redis

    async def __aenter__(self) -> ConnectedShardDirectory:
        self._redis = connect_store(self._endpoints.store_url)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._redis.aclose()


class BlockingShardMap:
    """The map for a caller without an event loop: a shard."""

    def __init__(self, directory: ShardDirectory) -> None:
        self._directory = directory

    def read(self, patience_seconds: float = 0.0) -> ShardMap:
        """Return the map, asking again for so long. Raises ShardMapUnavailableError."""
        deadline = time.monotonic() + patience_seconds
        while True:
            try:
                return asyncio.run(self._directory.read())
            except ShardMapUnavailableError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(_RETRY_SECONDS)
