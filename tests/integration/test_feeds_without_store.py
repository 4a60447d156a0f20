"""Feeds while the store is cut off: they go on, and what they showed is in the store afterwards."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlsplit

import numpy as np
from redis.exceptions import ConnectionError as StoreConnectionError
from redis.exceptions import TimeoutError as StoreTimeoutError

from actors.connections import EndpointSettings
from actors.names import Namespace
from actors.user_store import UserStore, connect_store
from serve_app.steady_user_store import SteadyUserStore
from simulations.cut_proxy import CutProxy

GROUP = "production.a"
FIRST, SECOND = np.array([1, 2], dtype=np.uint64), np.array([3], dtype=np.uint64)
DEADLINE_SECONDS = 20.0


async def page_through_a_cut(proxy: CutProxy, namespace: Namespace) -> None:
    redis = connect_store(f"redis://127.0.0.1:{proxy.port}/0", patient=True)
    store = UserStore(redis, namespace)
    people = SteadyUserStore(store, (StoreConnectionError, StoreTimeoutError), patience_seconds=0.2)
    try:
        await people.load("ada", [GROUP])
        await people.add_served("ada", FIRST, GROUP, 1)
        await asyncio.to_thread(proxy.cut)
        meanwhile = await people.load("ada", [GROUP])
        await people.add_served("ada", SECOND, GROUP, 2)
        assert meanwhile.remembered
        assert meanwhile.served.tolist() == FIRST.tolist()

        await asyncio.to_thread(proxy.mend)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while people.problem is not None:
            assert time.monotonic() < deadline, people.problem
            await asyncio.sleep(0.05)

        ada = await store.load("ada", [GROUP])
        assert ada.served.tolist() == [*FIRST, *SECOND]
        assert ada.shown == {GROUP: 2}
    finally:
        await redis.aclose()


def test_what_was_shown_while_the_store_was_cut_off_is_in_it_afterwards(endpoints: EndpointSettings) -> None:
    port = urlsplit(endpoints.store_url).port
    assert port is not None
    with CutProxy(port) as proxy:
        asyncio.run(page_through_a_cut(proxy, Namespace(endpoints.namespace)))
