"""What many requests ask of the store at the same moment, in one write and one read on one connection."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import hiredis
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

Command: TypeAlias = tuple[str | bytes | int, ...]


@dataclass(slots=True, eq=False)
class _Call:
    packed: bytes
    num_commands: int
    replies: asyncio.Future[list[Any]]


class StoreFlights:
    """Calls of some commands each, answered in order; what is asked while a flight is under way goes with
    the next one.

    A feed asks the store twice. Redis-py's pipelines would take a connection from the pool, arm a time-out
    for the write and each reply, and write alone, every time; this holds one connection, times a flight once,
    and with several requests under way their calls share it. Calls may be made twice where the client was
    told to be patient (`connect_store`), so only such as may be.
    """

    def __init__(self, redis: Redis) -> None:
        """redis: closing it closes the connection held here, too; its time-out is that of a whole flight."""
        self._pool = redis.connection_pool
        self._connection: AbstractConnection | None = None
        self._seconds: float | None = self._pool.connection_kwargs.get("socket_timeout")
        self._waiting: list[_Call] = []
        self._aboard: list[_Call] = []
        self._flight: asyncio.Task[list[list[Any]]] | None = None

    async def ask(self, commands: Sequence[Command]) -> list[Any]:
        """Return the reply to each command as the store gives it, not converted.

        May be cancelled: a flight that nobody awaits any more ends, and with it its connection, so that no
        reply is taken for another's. Raises redis-py's errors; a ResponseError only to whose command it is.
        """
        if not commands:
            return []
        packed = b"".join(map(hiredis.pack_command, commands))
        call = _Call(packed, len(commands), asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        if self._flight is None:
            self._take_off()
        try:
            return await call.replies
        except asyncio.CancelledError:
            if self._flight is not None and self._aboard and all(one.replies.done() for one in self._aboard):
                self._flight.cancel()
            raise

    def _take_off(self) -> None:
        self._flight = asyncio.create_task(self._fly())
        self._flight.add_done_callback(self._land)

    async def _fly(self) -> list[list[Any]]:
        """Begins after everything else of this turn of the loop, so that what it asks comes aboard."""
        self._aboard = [call for call in self._waiting if not call.replies.done()]
        self._waiting = []
        if not self._aboard:
            return []
        try:
            async with asyncio.timeout(self._seconds):
                connection = await self._connected()
                return await connection.retry.call_with_retry(
                    lambda: self._exchange(connection), lambda _error: connection.disconnect()
                )
        except TimeoutError as error:
            raise RedisTimeoutError(f"no answer from the store within {self._seconds:g} s") from error

    def _land(self, flight: asyncio.Task[list[list[Any]]]) -> None:
        aboard, self._aboard, self._flight = self._aboard, [], None
        if flight.cancelled():
            for call in aboard:
                call.replies.cancel()
        elif (error := flight.exception()) is not None:
            for call in aboard:
                if not call.replies.done():
                    call.replies.set_exception(error)
        else:
            for call, replies in zip(aboard, flight.result(), strict=True):
                if not call.replies.done():
                    _answer(call, replies)
        if self._waiting:
            self._take_off()

    async def _connected(self) -> AbstractConnection:
        connection = self._connection
        if connection is None:
            connection = self._connection = await self._pool.get_connection()
            connection.socket_timeout = None  # the flight has one
        else:
            await self._pool.ensure_connection(connection)
        return connection

    async def _exchange(self, connection: AbstractConnection) -> list[list[Any]]:
        await connection.send_packed_command([b"".join([call.packed for call in self._aboard])])
        return [[await _reply(connection) for _ in range(call.num_commands)] for call in self._aboard]


async def _reply(connection: AbstractConnection) -> Any:
    try:
        return await connection.read_response()
    except ResponseError as error:  # the store's answer to one command: those behind it are answered, too
        return error


def _answer(call: _Call, replies: list[Any]) -> None:
    refused = next((reply for reply in replies if isinstance(reply, ResponseError)), None)
    if refused is None:
        call.replies.set_result(replies)
    else:
        call.replies.set_exception(refused)
