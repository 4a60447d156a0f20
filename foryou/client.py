"""Clients of the HTTP API, waiting and awaiting, with retries; and batches of events.

with Client("http://127.0.0.1:8000") as client, EventBatch(client) as batch:
    feed = client.feed("ada", 10)
    batch.add({"event_type": "like", "user_id": "ada", "content_id": ..., "timestamp": ...})
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from types import TracebackType
from typing import Any

import httpx

from foryou.api_calls import ApiCalls, ApiError, Call, RetryPolicy, attempts, decoded

__all__ = ["ApiError", "AsyncClient", "AsyncEventBatch", "Client", "EventBatch", "RetryPolicy"]

MAX_EVENTS = 1_000
"""Of one batch, as the API takes them by default."""


class Client(ApiCalls[dict[str, Any]]):
    """Synchronous. base_url: as `foryou up` prints it. key: where the API asks for one."""

    def __init__(
        self,
        base_url: str,
        timeout: float = 10.0,
        key: str | None = None,
        *,
        retry: RetryPolicy | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._http = httpx.Client(
            base_url=base_url, timeout=timeout, headers=key_headers(key), transport=transport
        )
        self._retry = retry or RetryPolicy()
        self._sleep = sleep

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._http.close()

    def _ask(self, call: Call) -> dict[str, Any]:
        flow = attempts(self._retry)
        pause = next(flow)
        while True:
            if pause:
                self._sleep(pause)
            outcome: httpx.Response | httpx.ConnectError
            try:
                outcome = self._http.request(call.method, call.path, params=call.params, json=call.json)
            except httpx.ConnectError as error:
                outcome = error
            try:
                pause = flow.send(outcome)
            except StopIteration as end:
                return decoded(call, end.value)


class AsyncClient(ApiCalls[Coroutine[Any, Any, dict[str, Any]]]):
    """The same calls, to be awaited."""

    def __init__(
        self,
        base_url: str,
        timeout: float = 10.0,
        key: str | None = None,
        *,
        retry: RetryPolicy | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._http = httpx.AsyncClient(
            base_url=base_url, timeout=timeout, headers=key_headers(key), transport=transport
        )
        self._retry = retry or RetryPolicy()
        self._sleep = sleep

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def _ask(self, call: Call) -> dict[str, Any]:
        flow = attempts(self._retry)
        pause = next(flow)
        while True:
            if pause:
                await self._sleep(pause)
            outcome: httpx.Response | httpx.ConnectError
            try:
                outcome = await self._http.request(call.method, call.path, params=call.params, json=call.json)
            except httpx.ConnectError as error:
                outcome = error
            try:
                pause = flow.send(outcome)
            except StopIteration as end:
                return decoded(call, end.value)


class EventBatch:
    """Collects events and sends them when they are many, and at the end of the block.

    What the API refused is in `refused`: the answers' {index, field, reason}, with the event under `event`.
    """

    def __init__(self, client: Client, size: int = 200) -> None:
        self._client = client
        self._size = min(size, MAX_EVENTS)
        self._events: list[Mapping[str, Any]] = []
        self.refused: list[dict[str, Any]] = []

    def add(self, event: Mapping[str, Any]) -> None:
        """Take an event; raises as `flush` does where the batch that it fills could not be sent."""
        self._events.append(event)
        if len(self._events) >= self._size:
            self.flush()

    def flush(self) -> None:
        """Send what there is, in batches. Raises ApiError and httpx.TransportError; then what was not sent is
        kept, to be sent again."""
        while self._events:
            events = self._events[: self._size]
            try:
                refused = self._client.post_events(events)["refused"]
            except ApiError as error:
                refused = _all_refused(error)
            self.refused += _with_events(refused, events)
            self._events = self._events[len(events) :]

    def __enter__(self) -> EventBatch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.flush()


class AsyncEventBatch:
    """The same for a client that awaits; calls of `add` at the same time share a batch."""

    def __init__(self, client: AsyncClient, size: int = 200) -> None:
        self._client = client
        self._size = min(size, MAX_EVENTS)
        self._events: list[Mapping[str, Any]] = []
        self.refused: list[dict[str, Any]] = []

    async def add(self, event: Mapping[str, Any]) -> None:
        self._events.append(event)
        if len(self._events) >= self._size:
            await self.flush()

    async def flush(self) -> None:
        """Send what there is, in batches. Raises ApiError and httpx.TransportError; then what was not sent is
        kept, to be sent again."""
        while self._events:
            events, self._events = self._events[: self._size], self._events[self._size :]
            try:
                refused = await self._send(events)
            except BaseException:
                self._events = events + self._events
                raise
            self.refused += _with_events(refused, events)

    async def _send(self, events: list[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
        try:
            refused: Sequence[Mapping[str, Any]] = (await self._client.post_events(events))["refused"]
        except ApiError as error:
            return _all_refused(error)
        return refused

    async def __aenter__(self) -> AsyncEventBatch:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            await self.flush()


def key_headers(key: str | None) -> dict[str, str]:
    """Return the headers by which a key is shown to the API, none where there is none."""
    return {} if key is None else {"X-API-Key": key}


def _all_refused(error: ApiError) -> Sequence[Mapping[str, Any]]:
    """Return what is wrong with each event where none was acceptable: sent again, none would be either.

    Raises any other error.
    """
    if error.status != 422 or not error.detail or any("index" not in problem for problem in error.detail):
        raise error
    return error.detail


def _with_events(
    refused: Sequence[Mapping[str, Any]], events: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    return [{**refusal, "event": events[refusal["index"]]} for refusal in refused]
