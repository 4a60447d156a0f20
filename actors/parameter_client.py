"""The shards as one parameter server: ids are split by bucket, replies put together, one call per shard."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Protocol

from actors.remote_actor import RemoteActor
from messages.updates import PullReply, PullRequest, Update, UpdateReply
from parameter_server.routing import MergedPull, ShardRouter
from parameter_server.shard import BucketPositions


class ShardPort(Protocol):
    """One shard, wherever it runs. An actor's handle is adapted to this by `RemoteShard`."""

    def pull(self, request: PullRequest) -> Awaitable[PullReply]: ...

    def apply_update(self, update: Update) -> Awaitable[UpdateReply]: ...

    def positions(self, group: str) -> Awaitable[BucketPositions]: ...


class RemoteShard:
    """A shard actor, by its name: found when first called, waited for while it restarts.

    Every call may be repeated: reads change nothing, and an update that was applied answers "duplicate".
    """

    def __init__(self, actor_name: str, ray_namespace: str) -> None:
        self._actor = RemoteActor(actor_name, ray_namespace)

    async def pull(self, request: PullRequest) -> PullReply:
        reply: PullReply = await self._actor.call("pull", request)
        return reply

    async def apply_update(self, update: Update) -> UpdateReply:
        reply: UpdateReply = await self._actor.call("apply_update", update)
        return reply

    async def positions(self, group: str) -> BucketPositions:
        positions: BucketPositions = await self._actor.call("positions", group)
        return positions


class ParameterClient:
    """What a learner or the counters' writer holds of the parameter server."""

    def __init__(self, shards: Mapping[int, ShardPort], router: ShardRouter) -> None:
        self._shards = shards
        self._router = router

    async def pull(self, request: PullRequest) -> MergedPull:
        parts = self._router.split_pull(request)
        replies = await asyncio.gather(*(self._shards[shard].pull(part) for shard, part in parts.items()))
        return self._router.merge_pull(request, dict(zip(parts, replies, strict=True)))

    async def push(self, update: Update) -> dict[int, UpdateReply]:
        """Offer an update to every shard and return each one's answer."""
        parts = self._router.split_update(update)
        replies = await asyncio.gather(
            *(self._shards[shard].apply_update(part) for shard, part in parts.items())
        )
        return dict(zip(parts, replies, strict=True))

    async def positions(self, group: str) -> list[BucketPositions]:
        return list(await asyncio.gather(*(shard.positions(group) for shard in self._shards.values())))
