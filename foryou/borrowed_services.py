"""Broker, store and Ray for a command that needs no serving: the running system's, or its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from foryou.local_services import LocalServices, StateFolder
from foryou.settings import SystemSettings


@contextlib.contextmanager
def borrowed_services(settings: SystemSettings) -> Iterator[tuple[str, str]]:
    """Yield the URLs of NATS and of the store, with Ray initialized.

    The running system's, where one runs on the state folder; else as much of one as is needed.
    """
    from foryou.ray_session import ray_session

    state = StateFolder(settings.services.state)
    running = state.find_running()
    if running is not None:
        with ray_session(settings, running.ray_address):
            yield running.nats_url, running.store_url
        return
    services = settings.services
    with (
        state,
        LocalServices(state, services.nats_url, services.store_url, services.nats_sync) as local,
        ray_session(settings),
    ):
        yield local.nats_url, local.store_url
