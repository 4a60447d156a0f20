"""The shards as one parameter server: ids are split by bucket, replies put together, one call per shard."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from typing import Protocol

import numpy as np

from actors.names import WAITING_THREADS
from actors.remote_actor import ActorAwayError, RemoteActor
from messages.identifiers import NUM_BUCKETS
from messages.updates import Cursor, PullReply, PullRequest, ShardDelta, Update, UpdateOutcome, UpdateReply
from parameter_server.routing import MergedPull, ShardRouter
from parameter_server.shard import BucketPositions, MovingBucketsError
from parameter_server.shard_map import ShardMap

logger = logging.getLogger(__name__)

_FIRST_PAUSE_SECONDS = 0.01
_LONGEST_PAUSE_SECONDS = 0.2


class ShardPort(Protocol):
    """One shard, wherever it runs. An actor's handle is adapted to this by `RemoteShard`."""

    def pull(self, request: PullRequest) -> Awaitable[PullReply]: ...

    def apply_update(self, update: Update) -> Awaitable[UpdateReply]: ...

    def apply_and_pull(
        self, update: Update, request: PullRequest
    ) -> Awaitable[tuple[UpdateReply, PullReply | None]]: ...

    def positions(self, group: str) -> Awaitable[BucketPositions]: ...


class ShardMapPort(Protocol):
    """Where the shards are by now: `actors.shard_directory.ShardDirectory`."""

    async def read(self) -> ShardMap: ...

    def shard(self, shard: int) -> ShardPort: ...


class RemoteShard:
    """A shard actor, by its name: found when first called, waited for while it restarts.

    Every call may be repeated: reads change nothing, and an update that was applied answers "duplicate".
    Raises ActorAwayError where the shard is away for longer than `patience_seconds`; waits for ever without.
    """

    def __init__(self, actor_name: str, ray_namespace: str, patience_seconds: float | None = None) -> None:
        self._actor = RemoteActor(actor_name, ray_namespace, patience_seconds)

    async def pull(self, request: PullRequest) -> PullReply:
        reply: PullReply = await self._actor.call("pull", request)
        return reply

    async def apply_update(self, update: Update) -> UpdateReply:
        reply: UpdateReply = await self._actor.call("apply_update", update)
        return reply

    async def apply_and_pull(
        self, update: Update, request: PullRequest
    ) -> tuple[UpdateReply, PullReply | None]:
        answers: tuple[UpdateReply, PullReply | None] = await self._actor.call(
            "apply_and_pull", update, request
        )
        return answers

    async def positions(self, group: str) -> BucketPositions:
        positions: BucketPositions = await self._actor.call("positions", group)
        return positions

    async def deltas_since(self, cursors: Mapping[str, Cursor]) -> list[ShardDelta]:
        deltas: list[ShardDelta] = await self._actor.call("deltas_since", cursors)
        return deltas

    async def wait_for_news(self, cursors: Mapping[str, Cursor], seconds: float) -> bool:
        is_news: bool = await self._actor.call("wait_for_news", cursors, seconds, threads=WAITING_THREADS)
        return is_news


class ParameterClient:
    """What a learner or the counters' writer holds of the parameter server.

    With a `shard_map` it follows shards that come and go: what one of them refuses, since it was cut for
    other buckets than the shard has, is cut again by the newest map, until all of it fits. A part that was
    applied before is a duplicate then.
    """

    def __init__(
        self,
        shards: Mapping[int, ShardPort] | None = None,
        router: ShardRouter | None = None,
        shard_map: ShardMapPort | None = None,
    ) -> None:
        """shards, router: fixed, where there is no map to follow."""
        if (shards is None or router is None) and shard_map is None:
            raise ValueError("either shards and their router, or a map of shards")
        self._shards = dict(shards or {})
        self._router = router
        self._shard_map = shard_map

    async def pull(self, request: PullRequest) -> MergedPull:
        attempt = 0
        while True:
            router = await self._routed()
            parts = router.split_pull(request)
            try:
                replies = await asyncio.gather(
                    *(self._shards[shard].pull(part) for shard, part in parts.items())
                )
            except (MovingBucketsError, ActorAwayError) as error:
                attempt = await self._read_again(attempt, error)
                continue
            return router.merge_pull(request, dict(zip(parts, replies, strict=True)))

    async def push(self, update: Update) -> dict[int, UpdateReply]:
        """Offer an update to every shard and return each one's answer; none of them is MOVING."""
        replies, _ = await self.push_and_pull(update, None)
        return replies

    async def push_and_pull(
        self, update: Update, following: PullRequest | None
    ) -> tuple[dict[int, UpdateReply], MergedPull | None]:
        """Push as `push` does, and read in the same calls what `pull` would read after it.

        None in place of what was read: nothing was asked for, or a shard did not take the update at once;
        then `pull` asks by itself.
        """
        attempt = 0
        while True:
            router = await self._routed()
            asked = {} if following is None else router.split_pull(following)
            answers = await asyncio.gather(
                *(
                    self._offer(shard, part, asked.get(shard))
                    for shard, part in router.split_update(update).items()
                ),
                return_exceptions=True,
            )
            replies: dict[int, UpdateReply] = {}
            pulled: dict[int, PullReply] = {}
            not_now: Exception | None = None
            for shard, answer in zip(router.shards, answers, strict=True):
                if isinstance(answer, ActorAwayError):
                    not_now = answer
                elif isinstance(answer, BaseException):
                    raise answer
                elif answer[0].outcome is UpdateOutcome.MOVING:
                    not_now = MovingBucketsError(f"buckets of shard {shard} are on the move")
                else:
                    replies[shard] = answer[0]
                    if answer[1] is not None:
                        pulled[shard] = answer[1]
            is_over = any(reply.outcome is UpdateOutcome.STALE_EPOCH for reply in replies.values())
            if not_now is None or is_over:
                if following is None or pulled.keys() != asked.keys():
                    return replies, None
                return replies, router.merge_pull(following, pulled)
            attempt, following = await self._read_again(attempt, not_now), None

    async def _offer(
        self, shard: int, update: Update, request: PullRequest | None
    ) -> tuple[UpdateReply, PullReply | None]:
        if request is None:
            return await self._shards[shard].apply_update(update), None
        return await self._shards[shard].apply_and_pull(update, request)

    async def positions(self, group: str) -> list[BucketPositions]:
        """Return where the buckets of each shard stand; with a map to follow, every bucket is among them."""
        attempt = 0
        while True:
            await self._routed()
            try:
                standing = list(
                    await asyncio.gather(*(shard.positions(group) for shard in self._shards.values()))
                )
            except ActorAwayError as error:
                attempt = await self._read_again(attempt, error)
                continue
            found = np.unique(np.concatenate([positions.buckets for positions in standing]))
            if self._shard_map is None or len(found) == NUM_BUCKETS:
                return standing
            attempt = await self._read_again(
                attempt, MovingBucketsError(f"{len(found)} of {NUM_BUCKETS} buckets were found")
            )

    async def _routed(self) -> ShardRouter:
        if self._router is None:
            assert self._shard_map is not None
            newest = await self._shard_map.read()
            self._shards = {
                shard: self._shards.get(shard) or self._shard_map.shard(shard) for shard in newest.shards
            }
            self._router = newest.router()
        return self._router

    async def _read_again(self, attempt: int, reason: Exception) -> int:
        """Wait a little and forget the map; returns the number of the next attempt. Without a map to follow
        the reason is raised."""
        if self._shard_map is None:
            raise reason
        if attempt == 5:
            logger.warning("waiting for the shards: %s", reason)
        self._router = None
        await asyncio.sleep(min(_FIRST_PAUSE_SECONDS * 2.0**attempt, _LONGEST_PAUSE_SECONDS))
        return attempt + 1
