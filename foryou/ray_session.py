"""Ray in this process: a cluster of our own on this machine, or the one that is there."""

from __future__ import annotations

import logging
import os
from typing import Any

from foryou.local_services import LOOPBACK
from foryou.serve_environment import prepare_serve_environment
from foryou.settings import SystemSettings

_OBJECT_STORE_BYTES = 512 * 1024**2


def start_ray(settings: SystemSettings, address: str | None = None) -> None:
    """Join the cluster at `address` (or at RAY_ADDRESS), or start one on this machine."""
    on_loopback = settings.http.host in (LOOPBACK, "localhost")
    prepare_serve_environment(settings.services.state.resolve(), loopback=on_loopback)
    import ray

    address = address or os.environ.get("RAY_ADDRESS")
    own: dict[str, Any] = {}
    if address is None:
        own = {
            "include_dashboard": False,
            "object_store_memory": _OBJECT_STORE_BYTES,
            "_node_ip_address": LOOPBACK,
        }
    ray.init(
        address=address or "local",
        namespace="foryou",
        log_to_driver=False,
        logging_level=logging.ERROR,
        **own,
    )
    # A filter, since Serve sets its logger's level again when it starts.
    logging.getLogger("ray.serve").addFilter(lambda record: record.levelno >= logging.WARNING)


def ray_address() -> str:
    """Return where other processes join this cluster."""
    import ray

    return str(ray.get_runtime_context().gcs_address)


def stop_ray() -> None:
    import ray

    ray.shutdown()
