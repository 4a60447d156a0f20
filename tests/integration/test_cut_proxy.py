"""A relay that is cut: both ends wait, new ones are refused, and after it is mended all goes on."""

from __future__ import annotations

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as StoreConnectionError
from redis.exceptions import TimeoutError as StoreTimeoutError

from foryou.local_services import LocalServices
from simulations.cut_proxy import CutProxy


def test_nothing_passes_while_it_is_cut_and_everything_after(services: LocalServices) -> None:
    with CutProxy(services.servers["valkey"].port) as proxy:
        url = f"redis://127.0.0.1:{proxy.port}/0"
        with Redis.from_url(url, socket_timeout=0.2, retry=None) as store:
            store.set("before-the-cut", 1)
            proxy.cut()
            proxy.cut()
            with pytest.raises(StoreTimeoutError):
                store.get("before-the-cut")
            proxy.mend()
            with pytest.raises((StoreConnectionError, StoreTimeoutError)):
                store.get("before-the-cut")
            proxy.mend()
            assert store.get("before-the-cut") == b"1"
            store.delete("before-the-cut")
