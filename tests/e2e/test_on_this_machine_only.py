"""What we start listens on this machine alone, unless told otherwise."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from foryou.local_services import LOOPBACK, StateFolder
from foryou.system import System

pytestmark = pytest.mark.system
OURS = ("haproxy", "nats-server", "valkey-server")
ASK_RAY = "import sys; from ray._raylet import GcsClient; GcsClient(address=sys.argv[1])"


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


def test_rays_own_ports_which_listen_everywhere_answer_nobody_without_the_token(system: System) -> None:
    running = StateFolder(system.settings.services.state).find_running()
    assert running is not None
    asked = subprocess.run(
        [sys.executable, "-c", ASK_RAY, running.ray_address],
        env=os.environ | {"RAY_AUTH_MODE": "disabled"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert asked.returncode != 0
    assert "AuthenticationError" in asked.stderr
