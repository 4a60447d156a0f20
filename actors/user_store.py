"""What the store knows of a person: state, profile, served ids, user rows; one round trip to read it all."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from actors.id_ledger import IdLedger
from actors.names import Namespace
from actors.state_moves import StateMoves
from actors.store_flights import Command, StoreFlights
from messages.arrays import IdArray
from messages.codec import pack, unpack
from messages.identifiers import key_of
from messages.stored_user import StoredUser
from messages.updates import Rows

logger = logging.getLogger(__name__)

MAX_SERVED_SLATES = 200
"""Older slates are forgotten: what was served that long ago may be shown again."""

_STATE_BATCH = 2_000
_BACKOFF = ExponentialBackoff(cap=0.5, base=0.05)
_NUM_RETRIES = 8


class StatesTakenError(Exception):
    """Another joiner moved this partition's states: this one is a zombie and must stop."""


def connect_store(url: str, *, patient: bool = False) -> Redis:
    """Connect with RESP2 (cheaper to parse here) and time-outs that a request can bear.

    patient: a call whose connection is refused or breaks is made again for about three seconds, as long as a
    restart takes. Only for who may make any call twice; a store that hangs is not waited for twice.
    """
    retry = Retry(_BACKOFF, _NUM_RETRIES, supported_errors=(RedisConnectionError,)) if patient else None
    return Redis.from_url(url, protocol=2, socket_timeout=5, socket_connect_timeout=5, retry=retry)


class UserStore:
    """Keys: state, join (by joiners), profile (by HTTP), served, shown (by replicas), row (by the model
    actor)."""

    def __init__(self, redis: Redis, namespace: Namespace) -> None:
        self._redis = redis
        self._flights = StoreFlights(redis)
        self._namespace = namespace

    async def load(self, user_id: str, groups: Sequence[str]) -> StoredUser:
        """Read everything a feed request needs, in one round trip."""
        key = self._namespace.key
        shown_key = key("shown", user_id)
        user_key = key_of(user_id)
        values, slates, *shown = await self._flights.ask(
            [
                (
                    "MGET",
                    key("state", user_id),
                    key("profile", user_id),
                    self._namespace.notice_key,
                    *(self._row_key(group, user_key) for group in groups),
                ),
                ("LRANGE", key("served", user_id), 0, -1),
                *(("ZSCORE", shown_key, group) for group in groups),
            ]
        )
        state, profile, notice, *rows = values
        return StoredUser(
            state=state,
            profile=None if profile is None else unpack(profile),
            served=np.frombuffer(b"".join(slates), dtype="<u8"),
            rows={group: {} if row is None else unpack(row) for group, row in zip(groups, rows, strict=True)},
            shown={
                group: int(float(counter))
                for group, counter in zip(groups, shown, strict=True)
                if counter is not None
            },
            notice=int(notice or 0),
        )

    async def add_served(
        self, user_id: str, keys: IdArray, group: str | None = None, counter: int | None = None
    ) -> None:
        """Remember one slate as served, from now on, for every replica, and by which version of a group.

        Of answers at the same time the highest version stays, in whatever order they come here.
        """
        commands: list[Command] = []
        if len(keys):
            served = self._namespace.key("served", user_id)
            commands.append(("RPUSH", served, keys.astype("<u8").tobytes()))
            commands.append(("LTRIM", served, -MAX_SERVED_SLATES, -1))
        if group is not None and counter is not None:
            commands.append(("ZADD", self._namespace.key("shown", user_id), "GT", counter, group))
        await self._flights.ask(commands)

    async def put_profile(self, user_id: str, profile: Mapping[str, Any]) -> None:
        """Keep demographics and stated preferences (specification, section 2.2)."""
        await self._redis.set(self._namespace.key("profile", user_id), pack(dict(profile)))

    async def get_profile(self, user_id: str) -> dict[str, Any] | None:
        raw = await self._redis.get(self._namespace.key("profile", user_id))
        profile: dict[str, Any] | None = None if raw is None else unpack(raw)
        return profile

    async def put_rows(self, group: str, slot: str, rows: Rows) -> None:
        """Write user rows of one group (which names model and lineage); they are kept by key, not by name."""
        for start in range(0, len(rows), _STATE_BATCH):
            chunk = slice(start, start + _STATE_BATCH)
            await self._redis.mset(
                {
                    self._row_key(group, int(key)): pack({slot: values})
                    for key, values in zip(rows.ids[chunk], rows.values[chunk], strict=True)
                }
            )

    def _row_key(self, group: str, user_key: int) -> str:
        return self._namespace.key("row", group, f"{user_key:016x}")


class PartitionStates:
    """The joiner's view of the store: the states of one partition, moved only together with its position."""

    def __init__(
        self, redis: Redis, namespace: Namespace, partition: int, moves: StateMoves | None = None
    ) -> None:
        """moves: shared with other partitions of the same store."""
        self._redis = redis
        self._moves = moves or StateMoves(redis)
        self._namespace = namespace
        self._position_key = namespace.key("position", partition)
        self._position = 0
        self._ids = IdLedger(redis, namespace, "user")
        self.num_clashes = 0
        """Newcomers whose key another person has: the two share a user row. One partition sees them both."""

    async def read_position(self) -> int:
        """Return the FEED sequence up to which the stored states of this partition have moved."""
        raw = await self._redis.get(self._position_key)
        self._position = 0 if raw is None else int(raw)
        return self._position

    async def load(self, user_ids: Iterable[str]) -> dict[str, tuple[bytes | None, bytes | None]]:
        """Return state and join state by user, None where there is none; newcomers' keys are claimed."""
        users = list(user_ids)
        found: dict[str, tuple[bytes | None, bytes | None]] = {}
        for start in range(0, len(users), _STATE_BATCH):
            chunk = users[start : start + _STATE_BATCH]
            values = await self._redis.mget(
                [self._namespace.key(kind, user) for user in chunk for kind in ("state", "join")]
            )
            found.update(
                (user, (values[2 * index], values[2 * index + 1])) for index, user in enumerate(chunk)
            )
        for clash in await self._ids.claim(user for user, (state, _) in found.items() if state is None):
            self.num_clashes += 1
            logger.error("%s", clash)
        return found

    async def store(self, states: Mapping[str, tuple[bytes, bytes]], position: int) -> None:
        """Write states and position in one transaction, only if the position is still the one last seen.

        A position that is there already comes of a transaction whose answer was lost, or of another joiner:
        states are a function of the position, so the same were written. Raises StatesTakenError where another
        joiner has moved it elsewhere.
        """
        keys, values = [self._position_key], []
        for user, (state, join) in states.items():
            keys += [self._namespace.key("state", user), self._namespace.key("join", user)]
            values += [state, join]
        stands = await self._moves.move(keys, self._position, position, values)
        if stands != position:
            raise StatesTakenError(
                f"{self._position_key} stands at {stands}, this joiner left it at {self._position}"
            )
        self._position = position
