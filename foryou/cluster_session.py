"""The cluster that a command is about: the one at RAY_ADDRESS, or that of the system on the state folder."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from foryou.local_services import StateFolder
from foryou.ray_session import ray_session
from foryou.settings import SystemSettings


class NoClusterError(Exception):
    """Neither the environment nor the state folder says where a cluster is."""


def cluster_address(settings: SystemSettings) -> str:
    """Return where to join. Raises NoClusterError."""
    address = os.environ.get("RAY_ADDRESS")
    if address:
        return address
    running = StateFolder(settings.services.state).find_running()
    if running is None:
        raise NoClusterError(f"RAY_ADDRESS is not set, and nothing runs on {settings.services.state}")
    return running.ray_address


@contextlib.contextmanager
def cluster_session(settings: SystemSettings) -> Iterator[str]:
    """Join the cluster, and yield its address. Raises NoClusterError."""
    with ray_session(settings, cluster_address(settings)) as address:
        yield address
