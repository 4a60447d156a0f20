"""What the learning guard put aside, in the store: batches by their spans, and which of them were let in.

Letting in is bound to a position of EXAMPLES (`actors/admissions.py`); here it is only written down.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from actors.connections import Connections
from actors.crews import share_of
from actors.epochs import OvertakenError, epoch_key
from messages.codec import pack, unpack
from messages.updates import Span

EntryState: TypeAlias = Literal["waiting", "requested", "bound", "learned", "refused"]

_BIND = """
if tonumber(redis.call('GET', KEYS[1]) or '0') > tonumber(ARGV[1]) then
  return 0
end
redis.call('HSETNX', KEYS[2], ARGV[2], ARGV[3])
return 1
"""


@dataclass(frozen=True, slots=True)
class QuarantineEntry:
    """number: from 1 in the order of time. spans: stretches (after, up to) of EXAMPLES by partition.

    examples: rows in it, time: epoch seconds at which it was put aside; 0 of entries from before these were
    kept. bound_to: partition and position whose update brings it in. refusal: why it cannot be let in.
    """

    number: int
    spans: dict[int, tuple[int, int]]
    reason: str
    examples: int = 0
    time: float = 0.0
    state: EntryState = "waiting"
    bound_to: tuple[int, int] | None = None
    refusal: str = ""


class UnknownEntryError(LookupError):
    """There is no such entry."""


class QuarantineStore:
    """The entries of one group of the parameter server."""

    def __init__(self, connections: Connections, group: str) -> None:
        self._connections = connections
        self._redis = connections.redis
        self._group = group
        key = connections.namespace.key
        self._entries = key("quarantine", group)
        self._requested, self._bound, self._learned, self._refused = (
            key(f"quarantine-{what}", group) for what in ("requested", "bound", "learned", "refused")
        )

    async def put_aside(self, spans: Mapping[int, Span], reason: str, examples: int) -> None:
        stretches = {partition: [span.start, span.end] for partition, span in spans.items()}
        entry = {"spans": stretches, "reason": reason, "examples": examples, "time": time.time()}
        await self._redis.rpush(self._entries, pack(entry))

    async def entries(self) -> list[QuarantineEntry]:
        """Return all, oldest first, each in its state."""
        packed = await self._redis.lrange(self._entries, 0, -1)
        found = [_entry(number, unpack(data)) for number, data in enumerate(packed, start=1)]
        if not found:
            return []
        requested = {int(number) for number in await self._redis.smembers(self._requested)}
        bound = {int(number): unpack(at) for number, at in (await self._redis.hgetall(self._bound)).items()}
        learned = {int(number) for number in await self._redis.smembers(self._learned)}
        refused = {int(n): why.decode() for n, why in (await self._redis.hgetall(self._refused)).items()}
        for place, entry in enumerate(found):
            number = entry.number
            if number in bound:
                state: EntryState = "learned" if number in learned else "bound"
                found[place] = replace(entry, state=state, bound_to=tuple(bound[number]))
            elif number in requested:
                found[place] = replace(entry, state="requested")
            if number in refused:
                found[place] = replace(found[place], state="refused", refusal=refused[number])
        return found

    async def entry(self, number: int) -> QuarantineEntry:
        """Raises UnknownEntryError."""
        entries = await self.entries()
        if not 1 <= number <= len(entries):
            raise UnknownEntryError(
                f"no entry {number} in the quarantine of {self._group}; it has {len(entries)}"
            )
        return entries[number - 1]

    async def request(self, number: int) -> None:
        """Ask the learner to let an entry in; asking twice asks once. Raises UnknownEntryError."""
        await self.entry(number)
        await self._redis.sadd(self._requested, number)

    async def num_requested(self) -> int:
        """Return how many were ever asked for: it has risen where something is new."""
        return int(await self._redis.scard(self._requested))

    async def bind(self, number: int, partition: int, position: int, epoch: int) -> None:
        """Say with which position an entry comes in; one that is bound stays where it is.

        Refused to an owner that another has overtaken: its updates are refused too, so what it bound would
        come in with none. Raises OvertakenError.
        """
        owned = share_of(self._group, partition)
        keys = (epoch_key(self._connections, owned), self._bound)
        if not await self._redis.eval(_BIND, 2, *keys, epoch, number, pack([partition, position])):
            raise OvertakenError(f"{owned}: another owner came after epoch {epoch}")

    async def mark_learned(self, number: int) -> None:
        await self._redis.sadd(self._learned, number)

    async def refuse(self, number: int, reason: str) -> None:
        """Say why an entry cannot be let in."""
        await self._redis.hset(self._refused, str(number), reason)


def _entry(number: int, wire: dict[str, Any]) -> QuarantineEntry:
    spans = {int(partition): (int(start), int(end)) for partition, (start, end) in wire["spans"].items()}
    return QuarantineEntry(
        number, spans, wire["reason"], int(wire.get("examples", 0)), float(wire.get("time", 0.0))
    )
