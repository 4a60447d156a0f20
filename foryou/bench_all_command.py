"""`foryou bench all`: every benchmark, results kept as JSON with the machine's facts, and a page of them."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simulations.benchmarks.benchmark_page import write_benchmark_page
from simulations.benchmarks.benchmark_results import (
    RESULTS_FILE,
    BenchmarkChoiceError,
    SuiteResult,
    choose,
    read_earlier,
)
from simulations.benchmarks.benchmark_suite import BENCHMARKS, Run, run_suite
from simulations.benchmarks.machine_facts import machine_facts

__all__ = ["BenchmarkChoiceError", "ResultsFolderError", "run_bench_all_command"]


class ResultsFolderError(RuntimeError):
    """The folder cannot take the results; the text says why."""


def run_bench_all_command(
    run: Run,
    *,
    state: Path,
    out: Path | None = None,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    quick: bool = False,
    config: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Run them and return what results.json holds, with `page`, `results` and `failed` before it.

    out: folder of this run; None makes one by the time under `state`. What ends it midway leaves a page of
    what was measured until then. Raises BenchmarkChoiceError, ResultsFolderError.
    """
    chosen = choose(BENCHMARKS, only, skip)
    started = datetime.now(UTC)
    folder = out or state / "benchmarks" / started.strftime("%Y-%m-%dT%H-%M-%SZ")
    _make(folder)
    suite = SuiteResult(
        started=started.isoformat(timespec="seconds"),
        quick=quick,
        machine=machine_facts(),
        benchmarks=chosen,
    )
    command = _command(only, skip, quick=quick, config=config)
    try:
        run_suite(suite, run, folder, settings=config, say=say)
    finally:
        earlier, unreadable = read_earlier(folder.resolve().parent, suite.started)
        page = write_benchmark_page(
            suite, BENCHMARKS, earlier, folder, command=command, unreadable=unreadable
        )
        say(f"page: {page}")
    return {
        "page": str(page),
        "results": str(folder / RESULTS_FILE),
        "failed": suite.names("failed"),
        **suite.model_dump(),
    }


def _make(folder: Path) -> None:
    if (folder / RESULTS_FILE).exists():
        raise ResultsFolderError(
            f"{folder} holds the results of another run, which are kept: name another --out"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResultsFolderError(f"{folder}: {error.strerror}") from error


def _command(only: Sequence[str], skip: Sequence[str], *, quick: bool, config: Path | None) -> str:
    parts = ["foryou", "bench", "all", *["--quick"] * quick]
    parts += [part for name in only for part in ("--only", name)]
    parts += [part for name in skip for part in ("--skip", name)]
    return shlex.join(parts + ([] if config is None else ["--config", str(config)]))
