"""A server process of ours that is started again, on the same port and folder, whenever it ends by itself."""

from __future__ import annotations

import contextlib
import logging
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

logger = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
_START_SECONDS = 15.0
_STOP_SECONDS = 5.0
_WATCH_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 5.0


class LocalServiceError(Exception):
    """A local server could not be started; the text says which, why, and where its log is."""


class KeptServer:
    """Whoever uses the server finds it where it was: clients reconnect, and its data is on disk."""

    def __init__(
        self, name: str, command: Sequence[str], folder: Path, port: int, host: str = LOOPBACK
    ) -> None:
        """folder: of its data, its log and the file with its pid. host, port: on which it answers."""
        self._name = name
        self._command = list(command)
        self._folder = folder
        self._port = port
        self._host = host
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name=f"watch-{name}", daemon=True)
        self.num_restarts = 0
        """How often it was brought back."""

    @property
    def port(self) -> int:
        return self._port

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start it and return when it answers. Raises LocalServiceError."""
        _end_orphan(self._folder / "pid", self._command[0])
        self._spawn()
        self._wait_until_it_answers()
        self._watcher.start()

    def ask_to_stop(self) -> None:
        """From now on it may end; `stop` waits for it."""
        self._stopping.set()
        if self._watcher.is_alive():
            self._watcher.join()
        if self._process is not None:
            self._process.terminate()

    def stop(self) -> None:
        self.ask_to_stop()
        if self._process is None:
            return
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _spawn(self) -> None:
        with (self._folder / "server.log").open("ab") as output:
            self._process = subprocess.Popen(
                self._command, stdout=output, stderr=output, cwd=self._folder, start_new_session=True
            )
        (self._folder / "pid").write_text(str(self._process.pid))

    def _wait_until_it_answers(self) -> None:
        assert self._process is not None
        log = self._folder / "server.log"
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(self._host, self._port) and not self._stopping.is_set():
            if self._process.poll() is not None:
                code = self._process.returncode
                raise LocalServiceError(f"{self._name} ended with code {code}; its log: {log}")
            if time.monotonic() > deadline:
                raise LocalServiceError(
                    f"{self._name} gave no answer in {_START_SECONDS:.0f} s; its log: {log}"
                )
            time.sleep(0.02)

    def _watch(self) -> None:
        """Start it again when it ends; where that fails too, after a pause that doubles."""
        pause = _WATCH_SECONDS
        while not self._stopping.wait(pause):
            assert self._process is not None
            if self._process.poll() is None:
                pause = _WATCH_SECONDS
                continue
            logger.error("%s ended with code %s: started again", self._name, self._process.returncode)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            try:
                self._spawn()
                self._wait_until_it_answers()
                self.num_restarts += 1
            except (LocalServiceError, OSError):
                logger.exception("%s could not be started again, trying once more", self._name)


def _answers(host: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=0.2):
        return True
    return False


def _end_orphan(pid_file: Path, binary: str) -> None:
    """End a server that outlived a killed foryou; it would hold the data folder."""
    try:
        process = psutil.Process(int(pid_file.read_text()))
        if Path(binary).name in Path(process.exe()).name:
            process.kill()
            process.wait(_STOP_SECONDS)
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess, psutil.AccessDenied):
        return
