"""Connections through a network that is cut and mended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from actors.connections import Connections, EndpointSettings
from simulations.cut_proxy import CutProxy

DEADLINE_SECONDS = 20.0


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def test_a_network_that_carries_nothing_is_noticed_and_used_again_when_it_does(
    endpoints: EndpointSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.streams._PING_SECONDS", 0.1)

    async def scenario(proxy: CutProxy) -> None:
        near = endpoints.model_copy(update={"nats_url": f"nats://127.0.0.1:{proxy.port}"})
        async with await Connections.open(near, "test") as connections:
            await asyncio.to_thread(proxy.cut)
            await until(lambda: not connections.nats.is_connected)
            await asyncio.to_thread(proxy.mend)
            await until(lambda: connections.nats.is_connected)
            await connections.nats.flush()

    with CutProxy(urlsplit(endpoints.nats_url).port or 0) as proxy:
        asyncio.run(scenario(proxy))
