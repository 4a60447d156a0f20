"""A benchmark in a process of its own, so that none warms or disturbs the next."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from simulations.benchmarks.benchmark_results import EndedProcess

LONGEST_SECONDS = 2 * 3_600.0
_POLL_SECONDS = 0.2
_END_SECONDS = 90.0


def run_benchmark_process(
    arguments: list[str],
    log: Path,
    tell: Callable[[str], None],
    *,
    longest_seconds: float = LONGEST_SECONDS,
    program: tuple[str, ...] = (sys.executable, "-m", "foryou"),
) -> EndedProcess:
    """Run `program` with these arguments to its end. log: the file its stderr goes into. tell: is told each
    line of that. longest_seconds: after which it is ended. What ends this process meanwhile ends it too.

    Output goes into files: servers that outlive a killed benchmark would hold a pipe open for ever.
    """
    with tempfile.TemporaryFile("w+") as output, log.open("w") as errors:
        process = subprocess.Popen(
            [*program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=True,  # Ctrl-C comes to this process alone, and is handed on once
        )
        deadline = time.monotonic() + longest_seconds
        try:
            with log.open(errors="replace") as told:
                while process.poll() is None and time.monotonic() < deadline:
                    _tell_new(told, tell)
                    time.sleep(_POLL_SECONDS)
                _tell_new(told, tell)
        finally:
            is_late = process.poll() is None
            if is_late:
                _end(process)
        output.seek(0)
        lines = log.read_text(errors="replace").splitlines()
        if is_late:
            lines.append(f"it was ended, for it took longer than {longest_seconds:.0f} s")
        return EndedProcess(process.returncode, output.read(), lines)


def _tell_new(told: TextIO, tell: Callable[[str], None]) -> None:
    for line in _whole_lines(told):
        if line.strip():
            tell(line.rstrip())


def _whole_lines(told: TextIO) -> Iterator[str]:
    """Yield the lines that are written to their end; half a line waits for the next look."""
    while True:
        start = told.tell()
        line = told.readline()
        if not line.endswith("\n"):
            told.seek(start)
            return
        yield line


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it as Ctrl-C does, so that it ends what it started; kill what is left of it after a while."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
