"""All benchmarks one after the other, each in a process of its own; one that fails loses no other."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from simulations.benchmarks.benchmark_figures import Benchmark
from simulations.benchmarks.benchmark_results import EndedProcess, SuiteResult, result_of
from simulations.benchmarks.learning_figures import DURABILITY, LEARN, TABLE
from simulations.benchmarks.serving_figures import FRESHNESS, MODELS, REQUEST, SERVE

BENCHMARKS = (TABLE, LEARN, REQUEST, SERVE, FRESHNESS, MODELS, DURABILITY)
"""In the order in which they are run and shown."""

Run = Callable[[list[str], Path], EndedProcess]
"""Runs `foryou` with these arguments to its end; its stderr goes into that file."""


def run_suite(
    suite: SuiteResult,
    run: Run,
    folder: Path,
    *,
    benchmarks: Sequence[Benchmark] = BENCHMARKS,
    settings: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> None:
    """Fill in `suite` whatever of it is not done yet, and keep it in `folder` after each benchmark.

    settings: a settings file for the benchmarks that take one. Beside results.json each benchmark gets its
    own NAME.json and NAME.log.
    """
    waiting = [benchmark for benchmark in benchmarks if benchmark.name in suite.names("not done")]
    suite.write(folder)
    for number, benchmark in enumerate(waiting, start=1):
        name = benchmark.name
        options = benchmark.options(quick=suite.quick)
        if settings is not None and benchmark.has_settings:
            options += ["--config", str(settings)]
        say(f"{name} ({number} of {len(waiting)})")
        load, began = os.getloadavg()[0], time.monotonic()
        ended = run(["bench", name, *options, "--json"], folder / f"{name}.log")
        result = result_of(ended, options=options, seconds=time.monotonic() - began, load=load)
        suite.benchmarks[name] = result
        if result.state == "done":
            (folder / f"{name}.json").write_text(json.dumps(result.figures, indent=1) + "\n")
        suite.write(folder)
