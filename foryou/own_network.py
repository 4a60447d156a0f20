"""A network of one's own on this machine, with an address for each node: to be cut off, a node needs one.

Linux's network namespaces (`ip`, `unshare`, `nsenter`), inside a user namespace, so that no rights are needed
and nothing of it is left when the last process ends.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import psutil

_BRIDGE = "foryou0"
_SUBNET = "10.77.0"
_READY_SECONDS = 5.0
_GONE_SECONDS = 10.0


class NoOwnNetworkError(Exception):
    """This machine does not let processes have a network of their own; the text says what is missing."""


def in_own_network(words: Sequence[str]) -> list[str]:
    """Return the command that runs `python words` with a network of its own. Raises NoOwnNetworkError."""
    missing = [tool for tool in ("ip", "unshare", "nsenter") if shutil.which(tool) is None]
    if missing:
        raise NoOwnNetworkError(f"{', '.join(missing)}: not there (Linux, packages iproute2 and util-linux)")
    prefix = ["unshare", "--map-root-user", "--net", "--"]
    tried = subprocess.run([*prefix, "true"], capture_output=True, text=True)
    if tried.returncode:
        raise NoOwnNetworkError(f"user namespaces are closed here: {tried.stderr.strip()}")
    return [*prefix, sys.executable, *words]


class NodeNetwork:
    """One node's end of it: processes that `command` starts see this address and no other."""

    def __init__(self, number: int) -> None:
        """number: the last part of the address, from 2."""
        self.address = f"{_SUBNET}.{number}"
        self._link = f"foryou-v{number}"
        self._holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        own = Path("/proc/self/ns/net").readlink()
        deadline = time.monotonic() + _READY_SECONDS
        while (name := self._name()) == own:
            if time.monotonic() > deadline:
                raise NoOwnNetworkError("unshare made no network")
            time.sleep(0.01)
        self._namespace = name
        peer = ["peer", "name", "eth0", "netns", str(self._holder.pid)]
        _run("ip", "link", "add", self._link, "type", "veth", *peer)
        self.mend()
        for words in (
            ["link", "set", "lo", "up"],
            ["addr", "add", f"{self.address}/24", "dev", "eth0"],
            ["link", "set", "eth0", "up"],
            ["route", "add", "default", "via", f"{_SUBNET}.1"],
        ):
            _run(*self.command("ip", *words))

    def command(self, *words: str) -> list[str]:
        """Return the command that runs `words` on this node."""
        return ["nsenter", f"--target={self._holder.pid}", "--net", *words]

    def cut(self) -> None:
        """Let nothing through any more, and tell neither end."""
        _run("ip", "link", "set", self._link, "nomaster")

    def mend(self) -> None:
        _run("ip", "link", "set", self._link, "master", _BRIDGE, "up")

    def kill(self) -> int:
        """SIGKILL all that runs on this node, and what was starting just then; returns how many that were."""
        killed = 0
        while processes := [process for process in self._processes() if process.pid != self._holder.pid]:
            for process in processes:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGKILL)
            _, left = psutil.wait_procs(processes, timeout=_GONE_SECONDS)
            killed += len(processes) - len(left)
        return killed

    def close(self) -> None:
        self.kill()
        self._holder.kill()
        self._holder.wait()

    def _name(self) -> Path:
        return Path(f"/proc/{self._holder.pid}/ns/net").readlink()

    def _processes(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(OSError):
                if Path(f"/proc/{process.pid}/ns/net").readlink() == self._namespace:
                    found.append(process)
        return found


class OwnNetwork:
    """The bridge between nodes. This process must run as `in_own_network` says. A context manager."""

    address = f"{_SUBNET}.1"
    """Of this process, for the nodes."""

    def __init__(self) -> None:
        self._nodes: list[NodeNetwork] = []

    def __enter__(self) -> OwnNetwork:
        _run("ip", "link", "set", "lo", "up")
        _run("ip", "link", "add", _BRIDGE, "type", "bridge")
        _run("ip", "addr", "add", f"{self.address}/24", "dev", _BRIDGE)
        _run("ip", "link", "set", _BRIDGE, "up")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for node in self._nodes:
            node.close()

    def add(self) -> NodeNetwork:
        node = NodeNetwork(len(self._nodes) + 2)
        self._nodes.append(node)
        return node


def _run(*words: str) -> None:
    finished = subprocess.run(words, capture_output=True, text=True)
    if finished.returncode:
        raise NoOwnNetworkError(f"{' '.join(words)}: {finished.stderr.strip()}")
