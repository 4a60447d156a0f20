"""Calls that share a connection to a real store: each gets its own replies, whatever becomes of others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from actors.connections import EndpointSettings
from actors.names import Namespace
from actors.store_flights import StoreFlights
from actors.user_store import connect_store
from simulations.cut_proxy import CutProxy

DEADLINE_SECONDS = 10.0


def with_store(url: str, ask: Callable[[Redis, StoreFlights], Awaitable[Any]], **words: Any) -> Any:
    async def run() -> Any:
        redis = Redis.from_url(url, protocol=2, **words) if words else connect_store(url, patient=True)
        try:
            return await asyncio.wait_for(ask(redis, StoreFlights(redis)), DEADLINE_SECONDS)
        finally:
            await redis.aclose()

    return asyncio.run(run())


def through(proxy: CutProxy) -> str:
    return f"redis://127.0.0.1:{proxy.port}/0"


def port_of(endpoints: EndpointSettings) -> int:
    port = urlsplit(endpoints.store_url).port
    assert port is not None
    return port


def test_each_of_many_at_once_gets_the_replies_to_its_own_commands(endpoints: EndpointSettings) -> None:
    key = Namespace(endpoints.namespace).key("own")

    async def ask(redis: Redis, flights: StoreFlights) -> list[list[Any]]:
        return await asyncio.gather(
            *(
                flights.ask(
                    [("ECHO", f"{number}"), ("INCRBY", f"{key}{number}", number), ("ECHO", b"\0\r\n")]
                )
                for number in range(100)
            ),
            flights.ask([]),
        )

    replies = with_store(endpoints.store_url, ask)

    assert replies == [[b"%d" % number, number, b"\0\r\n"] for number in range(100)] + [[]]


def test_calls_of_one_moment_are_written_together(endpoints: EndpointSettings) -> None:
    async def ask(redis: Redis, flights: StoreFlights) -> int:
        await flights.ask([("PING",)])  # connected
        before = (await redis.info("stats"))["total_reads_processed"]
        await asyncio.gather(*(flights.ask([("PING",)]) for _ in range(50)))
        return int((await redis.info("stats"))["total_reads_processed"]) - int(before)

    assert with_store(endpoints.store_url, ask) < 10


def test_a_refused_command_fails_its_own_call_alone(endpoints: EndpointSettings) -> None:
    key = Namespace(endpoints.namespace).key("text")

    async def ask(redis: Redis, flights: StoreFlights) -> list[Any]:
        await redis.set(key, "no list")
        wrong = flights.ask([("PING",), ("LRANGE", key, 0, -1), ("PING",)])
        right = flights.ask([("ECHO", "right")])
        together = await asyncio.gather(wrong, right, return_exceptions=True)
        return [*together, await flights.ask([("ECHO", "later")])]

    refused, right, later = with_store(endpoints.store_url, ask)

    assert isinstance(refused, ResponseError)
    assert (right, later) == ([b"right"], [b"later"])


def test_one_who_gives_up_leaves_no_reply_to_the_next(endpoints: EndpointSettings) -> None:
    """Its flight was cut off and hangs: whoever asks after it gets a new connection at once."""

    async def ask(proxy: CutProxy, flights: StoreFlights) -> list[Any]:
        await flights.ask([("PING",)])
        await asyncio.to_thread(proxy.cut)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(flights.ask([("ECHO", "given up")]), 0.05)
        await asyncio.to_thread(proxy.mend)
        return await flights.ask([("ECHO", "next")])

    with CutProxy(port_of(endpoints)) as proxy:
        assert with_store(through(proxy), lambda _, flights: ask(proxy, flights)) == [b"next"]


def test_one_who_gives_up_leaves_the_others_of_its_flight_alone(endpoints: EndpointSettings) -> None:
    async def ask(proxy: CutProxy, flights: StoreFlights) -> list[Any]:
        await flights.ask([("PING",)])
        await asyncio.to_thread(proxy.cut)
        impatient = asyncio.create_task(flights.ask([("ECHO", "impatient")]))
        patient = asyncio.create_task(flights.ask([("ECHO", "patient")]))
        await asyncio.wait([impatient], timeout=0.05)
        impatient.cancel()
        await asyncio.wait([impatient])
        await asyncio.to_thread(proxy.mend)  # resets what was cut: the flight begins again
        return await patient

    with CutProxy(port_of(endpoints)) as proxy:
        assert with_store(through(proxy), lambda _, flights: ask(proxy, flights)) == [b"patient"]


def test_a_store_that_does_not_answer_is_waited_for_as_long_as_its_client_says(
    endpoints: EndpointSettings,
) -> None:
    async def ask(proxy: CutProxy, flights: StoreFlights) -> list[Any]:
        await flights.ask([("PING",)])
        await asyncio.to_thread(proxy.cut)
        together = await asyncio.gather(
            flights.ask([("PING",)]), flights.ask([("PING",)]), return_exceptions=True
        )
        await asyncio.to_thread(proxy.mend)
        return [*together, await flights.ask([("ECHO", "later")])]

    with CutProxy(port_of(endpoints)) as proxy:
        first, second, later = with_store(
            through(proxy), lambda _, flights: ask(proxy, flights), socket_timeout=0.1
        )

    assert isinstance(first, RedisTimeoutError)
    assert isinstance(second, RedisTimeoutError)
    assert later == [b"later"]


def test_a_store_that_was_never_there_is_found_once_it_is(endpoints: EndpointSettings) -> None:
    async def ask(proxy: CutProxy, flights: StoreFlights) -> list[Any]:
        await asyncio.to_thread(proxy.cut)
        with pytest.raises(RedisConnectionError):
            await flights.ask([("PING",)])
        await asyncio.to_thread(proxy.mend)
        return await flights.ask([("ECHO", "there")])

    with CutProxy(port_of(endpoints)) as proxy:
        assert with_store(
            through(proxy), lambda _, flights: ask(proxy, flights), socket_timeout=1, retry=None
        ) == [b"there"]


def test_closing_the_client_closes_the_connection(endpoints: EndpointSettings) -> None:
    async def run() -> bool:
        redis, watcher = connect_store(endpoints.store_url), connect_store(endpoints.store_url)
        flights = StoreFlights(redis)
        (number,) = await flights.ask([("CLIENT", "ID")])
        await redis.aclose()
        deadline = time.monotonic() + DEADLINE_SECONDS
        while any(int(one["id"]) == number for one in await watcher.client_list()):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        await watcher.aclose()
        return True

    assert asyncio.run(run())
