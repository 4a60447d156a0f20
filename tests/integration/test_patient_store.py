"""A store that is away for a moment: a request waits for it, others hear of it at once."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from actors.connections import EndpointSettings
from actors.names import Namespace
from actors.user_store import UserStore, connect_store
from simulations.cut_proxy import CutProxy

AWAY_SECONDS = 0.5


async def load_while_away(proxy: CutProxy, namespace: Namespace, *, patient: bool) -> str | None:
    """Store a name, then read it back with the connection cut and mended half a second later."""
    redis = connect_store(f"redis://127.0.0.1:{proxy.port}/0", patient=patient)
    try:
        store = UserStore(redis, namespace)
        await store.put_profile("ada", {"name": "Ada"})
        await asyncio.to_thread(proxy.cut)
        loading = asyncio.create_task(store.load("ada", []))
        await asyncio.wait([loading], timeout=AWAY_SECONDS)
        await asyncio.to_thread(proxy.mend)
        profile = (await loading).profile
        return None if profile is None else profile["name"]
    finally:
        await redis.aclose()


@pytest.mark.parametrize("patient", [True, False])
def test_only_who_may_call_twice_waits_out_a_cut(endpoints: EndpointSettings, patient: bool) -> None:
    port = urlsplit(endpoints.store_url).port
    assert port is not None
    with CutProxy(port) as proxy:
        reading = load_while_away(proxy, Namespace(endpoints.namespace), patient=patient)
        if patient:
            assert asyncio.run(reading) == "Ada"
        else:
            with pytest.raises(RedisConnectionError):
                asyncio.run(reading)
