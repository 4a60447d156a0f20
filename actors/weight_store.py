"""What signals are worth, as operators set it last: durable, numbered, with the tables before."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import WatchError

from actors.names import Namespace
from messages.codec import pack, unpack

_TABLES_KEPT = 1_000


class WeightsConflictError(Exception):
    """Somebody else has changed the table meanwhile; the text says which revision it has now."""


@dataclass(frozen=True, slots=True)
class StoredWeights:
    """table: signal -> weight. revision: counts the changes. changed_at: epoch seconds."""

    table: Mapping[str, float]
    revision: int
    changed_at: float


class WeightStore:
    """One key for the table, a capped stream of all that came before, one notice for the replicas."""

    def __init__(self, redis: Redis, namespace: Namespace) -> None:
        self._redis = redis
        self._key = namespace.key("weights")
        self._history = namespace.key("weights-history")
        self._notice = namespace.notice_key

    async def read(self) -> StoredWeights | None:
        """Return the table in force; None where nobody has set one."""
        return _decode(await self._redis.get(self._key))

    async def write(self, table: Mapping[str, float], expected_revision: int | None) -> StoredWeights:
        """Put a table in force. expected_revision: the one it was made from; None replaces whatever is there.

        Raises WeightsConflictError where the table has another revision.
        """
        while True:
            async with self._redis.pipeline(transaction=True) as transaction:
                await transaction.watch(self._key)
                stored = _decode(await transaction.get(self._key))
                revision = 0 if stored is None else stored.revision
                if expected_revision is not None and expected_revision != revision:
                    raise WeightsConflictError(
                        f"the table has revision {revision}, not {expected_revision}: read it again"
                    )
                written = StoredWeights(dict(table), revision + 1, time.time())
                packed = pack(_to_wire(written))
                transaction.multi()
                transaction.set(self._key, packed)
                transaction.xadd(self._history, {"table": packed}, maxlen=_TABLES_KEPT, approximate=True)
                transaction.incr(self._notice)
                try:
                    await transaction.execute()
                except WatchError:
                    continue  # changed between read and write: look again which revision it has
                return written

    async def history(self, count: int) -> list[StoredWeights]:
        """Return the tables that were set last, newest first."""
        entries = await self._redis.xrevrange(self._history, count=count)
        return [_from_wire(unpack(fields[b"table"])) for _, fields in entries]


def _decode(packed: bytes | None) -> StoredWeights | None:
    return None if packed is None else _from_wire(unpack(packed))


def _to_wire(weights: StoredWeights) -> dict[str, Any]:
    return {
        "table": dict(weights.table),
        "revision": weights.revision,
        "changed_at": weights.changed_at,
    }


def _from_wire(wire: Mapping[str, Any]) -> StoredWeights:
    return StoredWeights(wire["table"], wire["revision"], wire["changed_at"])
