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
    return endpoints_of(settings, nats_url, store_url)


def endpoints_of(
    settings: SystemSettings, nats_url: str, store_url: str, namespace: str | None = None
) -> EndpointSettings:
    """Return where broker and store are, and which namespace of them is meant: the settings', or another."""
    return EndpointSettings(
        nats_url=nats_url,
        store_url=store_url,
        namespace=settings.namespace if namespace is None else namespace,
        num_partitions=settings.num_partitions,
    )
