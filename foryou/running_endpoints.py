"""Broker and store of the system that a command is about."""

from __future__ import annotations

from actors.connections import EndpointSettings
from foryou.local_services import StateFolder
from foryou.settings import SystemSettings


class NotRunningError(Exception):
    """Neither a system runs on the state folder, nor do the settings name a broker and a store."""


def running_endpoints(settings: SystemSettings) -> EndpointSettings:
    """Return those of the settings, or of the system on the state folder. Raises NotRunningError."""
    running = StateFolder(settings.services.state).find_running()
    nats_url = settings.services.nats_url or (running and running.nats_url)
    store_url = settings.services.store_url or (running and running.store_url)
    if not nats_url or not store_url:
        raise NotRunningError(
            f"nothing runs on {settings.services.state}: start `foryou up`, or set services.nats_url and "
            "services.store_url"
        )
    return EndpointSettings(
        nats_url=nats_url,
        store_url=store_url,
        namespace=settings.namespace,
        num_partitions=settings.num_partitions,
    )
