"""Several joiners, or several learners of one model: how many there should be, and who owns which partitions.

A crew is a number in the store. Member m of n owns the partitions p with p mod n = m: nobody assigns
anything, each member works out its share and claims it, in one step that also checks that the number is still
the one it was worked out from. What fences the owner of before are the same epochs that fence a dead process.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as StoreConnectionError
from redis.exceptions import TimeoutError as StoreTimeoutError

from actors.connections import Connections
from actors.epochs import PlanChangedError, take_epochs
from actors.names import Namespace

logger = logging.getLogger(__name__)

CrewKind = Literal["joiners", "learners"]
CREW_KINDS: tuple[CrewKind, ...] = ("joiners", "learners")

_LOOK_SECONDS = 0.5
_WANT = """
local before = redis.call('GET', KEYS[1]) or '1/0'
local number, generation = string.match(before, '(%d+)/(%d+)')
if number == ARGV[1] then
  return before
end
local after = ARGV[1] .. '/' .. tostring(tonumber(generation) + 1)
redis.call('SET', KEYS[1], after)
return after
"""


@dataclass(frozen=True, slots=True)
class Crew:
    """generation: rises whenever the number changes, so that 1, 2, 1 is not mistaken for nothing at all."""

    number: int = 1
    generation: int = 0

    @classmethod
    def from_text(cls, text: str) -> Crew:
        number, generation = text.split("/")
        return cls(int(number), int(generation))

    def to_text(self) -> str:
        return f"{self.number}/{self.generation}"

    def share(self, member: int, partitions: Sequence[int]) -> list[int]:
        """Return the partitions of a member; none of one that is too many. member: from 0."""
        return [partition for partition in partitions if partition % self.number == member]


class CrewStore:
    """The crews of one namespace."""

    def __init__(self, redis: Redis, namespace: Namespace) -> None:
        self._redis = redis
        self._namespace = namespace

    def key(self, kind: CrewKind) -> str:
        return self._namespace.key("crew", kind)

    async def read(self, kind: CrewKind) -> Crew:
        text = await self._redis.get(self.key(kind))
        return Crew() if text is None else Crew.from_text(text.decode())

    async def numbers(self) -> dict[CrewKind, int]:
        """Return how many there should be of each kind."""
        return {kind: (await self.read(kind)).number for kind in CREW_KINDS}

    async def begin(self, kind: CrewKind) -> None:
        """Write down the crew of one, where nothing was ever said."""
        await self._redis.set(self.key(kind), Crew().to_text(), nx=True)

    async def want(self, kind: CrewKind, number: int) -> Crew:
        """Say how many there should be; the same number again changes nothing."""
        text = await self._redis.eval(_WANT, 1, self.key(kind), number)
        return Crew.from_text(text.decode())

    async def note(self, work: str, partitions: Sequence[int], crew: Crew) -> None:
        """Write down that the owners by this crew have claimed partitions, for who waits for it."""
        if partitions:
            noted = {str(partition): crew.generation for partition in partitions}
            await self._redis.hset(self._namespace.key("crew-shares", work), mapping=noted)

    async def claimed(self, work: str) -> dict[int, int]:
        """Return the generation of the crew by which each partition of some work is owned."""
        noted = await self._redis.hgetall(self._namespace.key("crew-shares", work))
        return {int(partition): int(generation) for partition, generation in noted.items()}


@dataclass(frozen=True, slots=True)
class Share:
    """What a member owns. epochs: of each of its works."""

    crew: Crew
    partitions: list[int]
    epoch: int
    epochs: dict[str, int] = field(default_factory=dict)


class CrewMember:
    """One member, over all its runs. `take` claims its share; who came after it stops it for good."""

    def __init__(self, kind: CrewKind, work: str, member: int, partitions: Sequence[int]) -> None:
        """work: what the crew does. member: from 0. partitions: all there are."""
        self._kind = kind
        self._work = work
        self._member = member
        self._partitions = list(partitions)
        self._own = member_role(work, member)
        self._held: dict[str, int] = {}
        self._crew: Crew | None = None
        self._looked_at = 0.0

    async def take(self, connections: Connections) -> Share:
        """Claim what the crew of now gives this member. Raises OvertakenError where another process has
        become this member, or, while the crew was the same, the owner of one of its partitions."""
        store = CrewStore(connections.redis, connections.namespace)
        await store.begin(self._kind)
        while True:
            crew = await store.read(self._kind)
            partitions = crew.share(self._member, self._partitions)
            same = crew == self._crew
            works = [share_of(self._work, partition) for partition in partitions]
            held = {work: self._held.get(work, 0) if same else 0 for work in works}
            held[self._own] = self._held.get(self._own, 0)
            try:
                epoch = await take_epochs(
                    connections,
                    held,
                    plan_key=store.key(self._kind),
                    plan=crew.to_text(),
                )
            except PlanChangedError:
                continue
            break
        self._held, self._crew = dict.fromkeys(held, epoch), crew
        self._looked_at = time.monotonic()
        await store.note(self._work, partitions, crew)
        return Share(crew, partitions, epoch, dict(self._held))

    async def is_over(self, connections: Connections, share: Share, *, now: bool = False) -> bool:
        """Say whether the crew is another one by now, asked for twice a second at most, or `now`.

        While the store does not answer the share stays as it is: whoever else claims it fences this one.
        """
        if not now and time.monotonic() - self._looked_at < _LOOK_SECONDS:
            return False
        self._looked_at = time.monotonic()
        try:
            known = await CrewStore(connections.redis, connections.namespace).read(self._kind)
        except (StoreConnectionError, StoreTimeoutError) as error:
            logger.warning("how many %s there should be is not known: %s", self._kind, error)
            return False
        return known != share.crew

    async def wait_for_another(self, connections: Connections, share: Share, stop: asyncio.Event) -> None:
        """Wait until the crew is another one, or until stopped: for who has no share."""
        while not await self.is_over(connections, share):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _LOOK_SECONDS)
            if stop.is_set():
                return


def share_of(work: str, partition: int) -> str:
    """Name the work of one partition, as its owner's epoch is kept."""
    return f"{work}#{partition}"


def member_role(role: str, member: int) -> str:
    """Name the actor of a member; the first bears the plain name. No model's name has a +."""
    return role if member == 0 else f"{role}+{member + 1}"


def roles_of_crews(roles: Sequence[str], crews: Mapping[CrewKind, int]) -> list[str]:
    """Return roles with those of all members in place of a crew's plain role."""
    found: list[str] = []
    for role in roles:
        if "+" in role:
            continue
        kind: CrewKind | None = (
            "joiners" if role == "joiner" else "learners" if role.partition("-")[0] == "learner" else None
        )
        number = 1 if kind is None else crews.get(kind, 1)
        found += [member_role(role, member) for member in range(number)]
    return found
