"""A benchmark's process: what it prints is told and kept, and it ends when its time is over or we end."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from foryou.bench_process import run_benchmark_process
from simulations.benchmarks.benchmark_results import EndedProcess

WAITS = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may ignore it
print("begun", file=sys.stderr, flush=True)
try:
    time.sleep(600)
except KeyboardInterrupt:
    print("cleared away", file=sys.stderr)
    sys.exit(130)
"""


def run(code: str, log: Path, told: list[str], seconds: float = 60.0) -> EndedProcess:
    program = (sys.executable, "-c", code)
    return run_benchmark_process(["extra"], log, told.append, longest_seconds=seconds, program=program)


def test_what_a_benchmark_says_is_told_and_kept(tmp_path: Path) -> None:
    told: list[str] = []
    code = "import sys; print(sys.argv[1:]); print('one\\n\\ntwo', file=sys.stderr); sys.exit(3)"

    ended = run(code, tmp_path / "log", told)

    assert (ended.exit_code, ended.output) == (3, "['extra']\n")
    assert told == ["one", "two"]
    assert ended.lines == ["one", "", "two"] == (tmp_path / "log").read_text().splitlines()


def test_one_that_takes_too_long_is_ended_as_by_ctrl_c(tmp_path: Path) -> None:
    ended = run(WAITS, tmp_path / "log", [], seconds=1.0)
    assert ended.exit_code != 0
    assert "longer than 1 s" in ended.lines[-1]


def test_whatever_ends_us_ends_the_benchmark(tmp_path: Path) -> None:
    def interrupt(line: str) -> None:
        raise KeyboardInterrupt

    log = tmp_path / "log"
    with pytest.raises(KeyboardInterrupt):
        run_benchmark_process([], log, interrupt, program=(sys.executable, "-c", WAITS))
    assert log.read_text().splitlines() == ["begun", "cleared away"]
