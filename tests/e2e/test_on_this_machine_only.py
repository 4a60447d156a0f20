"""What we start listens on this machine alone, unless told otherwise."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from foryou.local_services import LOOPBACK
from foryou.system import System

pytestmark = pytest.mark.system
OURS = ("haproxy", "nats-server", "valkey-server")


def listening_addresses(name: str) -> set[str]:
    """Return the addresses on which children of this process with that executable listen."""
    return {
        connection.laddr.ip
        for child in psutil.Process(os.getpid()).children(recursive=True)
        if child.is_running() and Path(child.exe()).name.startswith(name)
        for connection in child.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }


@pytest.mark.parametrize("name", OURS)
def test_servers_and_the_proxys_own_ports_are_on_loopback(system: System, name: str) -> None:
    assert system.http_url.startswith(f"http://{LOOPBACK}:")
    assert listening_addresses(name) == {LOOPBACK}
