"""Moves people's states from one FEED position to the next, those of several partitions in one round trip."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

_MOVE = """
local stands = redis.call('GET', KEYS[1]) or '0'
if stands ~= ARGV[1] then
  return stands
end
for number = 2, #KEYS do
  redis.call('SET', KEYS[number], ARGV[number + 1])
end
redis.call('SET', KEYS[1], ARGV[2])
return ARGV[2]
"""
"""From the position in ARGV[1] to that in ARGV[2], with the states; returns where the partition stands then.
A script is a transaction in one round trip, where watching the position and writing would take three."""

_Move = tuple[list[Any], asyncio.Future[Any]]


class StateMoves:
    """What is asked for while a round trip is under way goes together in the next.

    Each move is a transaction of its own: one that fails says nothing of the others.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._asked: list[_Move] = []
        self._sending: asyncio.Task[None] | None = None

    async def move(self, keys: Sequence[str], start: int, end: int, states: Sequence[bytes]) -> int:
        """Move a partition from `start` to `end` if it stands there, and return where it stands then.

        keys: of its position, then of each state. Raises what the store raises; whether the move was made is
        not known then, and it may be asked for again.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        self._asked.append(([_MOVE, len(keys), *keys, start, end, *states], answer))
        if self._sending is None:
            self._sending = loop.create_task(self._send())  # starts once all that wait for it have asked
        return int(await answer)

    async def _send(self) -> None:
        try:
            while self._asked:
                asked, self._asked = self._asked, []
                for (_, answer), said in zip(asked, await self._answers(asked), strict=True):
                    if answer.done():
                        continue
                    if isinstance(said, BaseException):
                        answer.set_exception(said)
                    else:
                        answer.set_result(said)
        finally:
            self._sending = None

    async def _answers(self, asked: Sequence[_Move]) -> list[Any]:
        try:
            if len(asked) == 1:
                return [await self._redis.eval(*asked[0][0])]
            pipeline = self._redis.pipeline(transaction=False)
            for arguments, _ in asked:
                pipeline.eval(*arguments)
            return list(await pipeline.execute(raise_on_error=False))
        except Exception as error:  # noqa: BLE001 every one who asked hears it
            return [error] * len(asked)
