"""The contents there are: their facts in the store, and a log of changes for those who keep copies."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from redis.asyncio import Redis

from actors.id_ledger import IdLedger
from actors.names import Namespace
from messages.codec import pack, unpack
from messages.content import ContentFacts
from messages.identifiers import IdClashError

_CHANGES_KEPT = 100_000
_CHANGES_PER_READ = 2_000
_REMOVED_KEPT = 10_000
_REMOVED_SECONDS = 3_600.0
_SCAN_COUNT = 5_000
_START = "0-0"


@dataclass(frozen=True, slots=True)
class CatalogueChanges:
    """contents: new or changed. removed: ids. cursor: where the next read goes on."""

    contents: list[ContentFacts]
    removed: list[str]
    cursor: str


class Catalogue:
    """Facts in one hash, changes in a capped stream, both moved in one transaction."""

    def __init__(self, redis: Redis, namespace: Namespace) -> None:
        self._redis = redis
        self._contents = namespace.key("contents")
        self._changes = namespace.key("content-changes")
        self._removed = namespace.key("contents-removed")
        self._notice = namespace.notice_key
        self._content_ids = IdLedger(redis, namespace, "content")
        self._creator_ids = IdLedger(redis, namespace, "creator")

    async def put(self, facts: ContentFacts) -> None:
        await self.put_many([facts])

    async def put_many(self, contents: Sequence[ContentFacts]) -> None:
        """Add or replace contents, all of them or none.

        Raises IdClashError, changing nothing, where a content's or a creator's id has another's key.
        """
        if not contents:
            return
        clashes = [
            *await self._content_ids.claim(facts.content_id for facts in contents),
            *await self._creator_ids.claim(facts.creator_id for facts in contents if facts.creator_id),
        ]
        if clashes:
            raise IdClashError(clashes)
        packed = {facts.content_id: pack(facts.to_wire()) for facts in contents}
        num_returned = await self._redis.zrem(self._removed, *packed)
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.hset(self._contents, mapping=packed)  # type: ignore[arg-type]
        for content_id in packed:
            pipeline.xadd(self._changes, {"id": content_id}, maxlen=_CHANGES_KEPT, approximate=True)
        if num_returned:
            pipeline.incr(self._notice)
        await pipeline.execute()

    async def remove(self, content_id: str) -> bool:
        """Take a content out of every replica's index with the next sync, and out of every feed from now on:
        replicas are told by the notice that each request reads. Returns whether it was there."""
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.hdel(self._contents, content_id)
        pipeline.xadd(self._changes, {"id": content_id}, maxlen=_CHANGES_KEPT, approximate=True)
        pipeline.zadd(self._removed, {content_id: time.time()})
        pipeline.zremrangebyrank(self._removed, 0, -_REMOVED_KEPT - 1)
        pipeline.incr(self._notice)
        removed, *_ = await pipeline.execute()
        return bool(removed)

    async def removed(self) -> list[str]:
        """Return the contents that were removed in the last hour and not put again, oldest first: no delta is
        under way for so long that it could bring an older one back."""
        ids = await self._redis.zrangebyscore(self._removed, time.time() - _REMOVED_SECONDS, "+inf")
        return [content_id.decode() for content_id in ids]

    async def get(self, content_id: str) -> ContentFacts | None:
        packed = await self._redis.hget(self._contents, content_id)
        return None if packed is None else ContentFacts.from_wire(unpack(packed))

    async def size(self) -> int:
        return int(await self._redis.hlen(self._contents))

    async def changes_after(self, cursor: str) -> CatalogueChanges | None:
        """Return what changed after a cursor; None where the log no longer reaches back that far."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.xrange(self._changes, count=1)
        pipeline.xrange(self._changes, min=f"({cursor}", count=_CHANGES_PER_READ)
        first, entries = await pipeline.execute()
        if first and cursor != _START and _order(first[0][0].decode()) > _order(cursor):
            return None
        if not entries:
            return CatalogueChanges([], [], cursor)
        ids = list(dict.fromkeys(fields[b"id"].decode() for _, fields in entries))
        packed = await self._redis.hmget(self._contents, ids)
        return CatalogueChanges(
            contents=[ContentFacts.from_wire(unpack(value)) for value in packed if value is not None],
            removed=[name for name, value in zip(ids, packed, strict=True) if value is None],
            cursor=entries[-1][0].decode(),
        )

    async def wait_for_changes(self, cursor: str, seconds: float) -> bool:
        """Wait until something changes after a cursor; False: nothing did for so many seconds."""
        milliseconds = max(1, round(seconds * 1e3))  # 0 would be for ever
        return bool(await self._redis.xread({self._changes: cursor}, count=1, block=milliseconds))

    async def all(self) -> CatalogueChanges:
        """Return every content and the cursor from which changes go on (some may then come twice)."""
        last = await self._redis.xrevrange(self._changes, count=1)
        contents: dict[str, ContentFacts] = {}
        async for name, packed in self._redis.hscan_iter(self._contents, count=_SCAN_COUNT):
            contents[name.decode()] = ContentFacts.from_wire(unpack(packed))
        return CatalogueChanges(list(contents.values()), [], last[0][0].decode() if last else _START)


def _order(entry_id: str) -> tuple[int, int]:
    milliseconds, _, serial = entry_id.partition("-")
    return int(milliseconds), int(serial or 0)
