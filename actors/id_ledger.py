"""Who bears which 64-bit key: two ids that would share one are found before anything is kept under it."""

from __future__ import annotations

from collections.abc import Iterable

from redis.asyncio import Redis

from actors.names import Namespace
from messages.identifiers import IdClash, key_of


class IdLedger:
    """One hash in the store for each kind of id, from key to the first id that claimed it.

    It costs a hash field (the key's 8 bytes and the id) for every id that the store keeps something of.
    """

    def __init__(self, redis: Redis, namespace: Namespace, kind: str) -> None:
        """kind: content, creator, user: keys of different kinds never meet."""
        self._redis = redis
        self._kind = kind
        self._names = namespace.key("ids", kind)

    async def claim(self, ids: Iterable[str]) -> list[IdClash]:
        """Claim the keys of ids, in one round trip, and return those that another id has. Safe to repeat."""
        claimed = list(dict.fromkeys(ids))
        if not claimed:
            return []
        keys = [key_of(each).to_bytes(8) for each in claimed]
        pipeline = self._redis.pipeline(transaction=False)
        for key, each in zip(keys, claimed, strict=True):
            pipeline.hsetnx(self._names, key, each)
        pipeline.hmget(self._names, keys)
        *_, holders = await pipeline.execute()
        return [
            IdClash(self._kind, each, holder.decode())
            for each, holder in zip(claimed, holders, strict=True)
            if holder is not None and holder.decode() != each
        ]
