"""What a pull consumer delivers, asked for before it is wanted.

A fetch asks when it is called: each message costs the client a task and a timer, each round the broker one
more answer. Here a request stands all the while and is renewed before it is used up ("consume": NATS ADR-37).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from collections import deque

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.js.api import ConsumerConfig, ConsumerInfo, Header

_AHEAD = 256
"""Messages asked for or waiting here; more is asked for when half of it is left."""
_REQUEST_SECONDS = 30.0
_HEARTBEAT_SECONDS = 2.0
_SILENCE_SECONDS = 2.5 * _HEARTBEAT_SECONDS
_HEARTBEAT, _REQUEST_OVER = "100", "408"


class DeliveriesEndedError(NatsError):
    """The consumer delivers no more, and the text says why: a new one has to be made."""


class Deliveries:
    """One consumer, made by `open`, whose deliveries are taken in order. One task may call it."""

    def __init__(self, client: Client, stream: str) -> None:
        self._client = client
        self._js = client.jetstream()
        self._stream = stream
        self._name = ""
        self._subscription: Subscription | None = None
        self._waiting: deque[Msg] = deque()
        self._came = asyncio.Event()
        self._num_asked = 0
        """Deliveries asked for that have not come."""
        self._num_connections = 0
        self._heard_at = 0.0
        self._ended = ""

    async def open(self, config: ConsumerConfig) -> None:
        """Make the consumer, and ask. Raises NatsError, TimeoutError."""
        self._num_connections = self._client.stats["reconnects"]
        self._name = (await self._js.add_consumer(self._stream, config)).name
        self._subscription = await self._client.subscribe(
            self._client.new_inbox(), cb=self._take_in, pending_bytes_limit=-1
        )
        await self._ask()

    async def take(self, max_messages: int, timeout: float) -> list[Msg]:
        """Return what has come, or wait up to `timeout` seconds for the first; empty when none came.

        Raises DeliveriesEndedError when all that came was taken and no more will come.
        """
        if not self._waiting and not self._is_over():
            self._came.clear()
            timer = asyncio.get_running_loop().call_later(timeout, self._came.set)
            try:
                await self._came.wait()
            finally:
                timer.cancel()
        if not self._waiting:
            if self._is_over():
                raise DeliveriesEndedError(f"{self._stream}: {self._ended}")
            return []
        taken = list(itertools.islice(self._waiting, max_messages))
        for _ in taken:
            self._waiting.popleft()
        await self._ask()
        return taken

    async def info(self) -> ConsumerInfo:
        return await self._js.consumer_info(self._stream, self._name)

    async def close(self) -> None:
        """The consumer itself ends when nobody has asked it for a while."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            with contextlib.suppress(NatsError):
                await subscription.unsubscribe()

    async def _take_in(self, message: Msg) -> None:
        self._heard_at = time.monotonic()
        headers = message.headers or {}
        status = headers.get(Header.STATUS, "")
        if status == _HEARTBEAT:
            return
        if not status:
            self._num_asked -= 1
            self._waiting.append(message)
        elif status == _REQUEST_OVER:
            self._num_asked -= int(headers.get("Nats-Pending-Messages", 0))
            await self._ask()
            return
        else:
            self._ended = f"{status} {headers.get(Header.DESCRIPTION, '')}"
        self._came.set()

    def _is_over(self) -> bool:
        """What was asked for and what was on its way end with a connection, and no answer says so."""
        if self._client.stats["reconnects"] != self._num_connections:
            self._ended = "the connection broke"
        elif time.monotonic() - self._heard_at > _SILENCE_SECONDS and self._client.is_connected:
            self._ended = f"no sign of the consumer for {_SILENCE_SECONDS:g} s"
        return bool(self._ended)

    async def _ask(self) -> None:
        """Have `_AHEAD` on their way or here, where it has become half of that."""
        there = self._num_asked + len(self._waiting)
        if there > _AHEAD // 2 or self._subscription is None:
            return
        request = {
            "batch": _AHEAD - there,
            "expires": int(_REQUEST_SECONDS * 1e9),
            "idle_heartbeat": int(_HEARTBEAT_SECONDS * 1e9),
        }
        self._num_asked += _AHEAD - there
        self._heard_at = time.monotonic()
        await self._client.publish(
            f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._name}",
            json.dumps(request).encode(),
            self._subscription.subject,
        )
