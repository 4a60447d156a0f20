"""What a run of all benchmarks found, as it is kept: one file a run, with the machine's facts.

The file is written after each benchmark, so whatever ends a run, what was measured before is there.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from simulations.benchmarks.benchmark_figures import Benchmark

RESULTS_FILE = "results.json"
_LINES_KEPT = 20

State = Literal["done", "failed", "skipped", "not done"]


class BenchmarkChoiceError(ValueError):
    """No benchmark has that name, or none is left to run; the text names those there are."""


class BenchmarkResult(BaseModel):
    """options: of `foryou bench NAME`; figures are compared only where these are alike. seconds: it took.
    load_before: the machine's mean load over a minute. last_lines: of stderr, of one that failed."""

    model_config = ConfigDict(extra="forbid")

    state: State = "not done"
    options: list[str] = Field(default_factory=list)
    seconds: float = 0.0
    load_before: float = 0.0
    exit_code: int | None = None
    figures: dict[str, Any] = Field(default_factory=dict)
    last_lines: list[str] = Field(default_factory=list)


class SuiteResult(BaseModel):
    """started: ISO 8601 in UTC. quick: small sizes, of which nothing is promised. machine: its facts."""

    model_config = ConfigDict(extra="forbid")

    started: str
    quick: bool
    machine: dict[str, Any]
    benchmarks: dict[str, BenchmarkResult]

    def names(self, state: State) -> list[str]:
        return [name for name, result in self.benchmarks.items() if result.state == state]

    def write(self, folder: Path) -> Path:
        """Write the file, whole or not at all."""
        path = folder / RESULTS_FILE
        unfinished = path.with_suffix(".tmp")
        unfinished.write_text(self.model_dump_json(indent=1) + "\n")
        return unfinished.replace(path)


@dataclass(frozen=True, slots=True)
class EndedProcess:
    """How a benchmark's process ended. output: its stdout. lines: of its stderr."""

    exit_code: int
    output: str
    lines: Sequence[str]


def choose(
    benchmarks: Sequence[Benchmark], only: Collection[str], skip: Collection[str]
) -> dict[str, BenchmarkResult]:
    """Return a result for each benchmark, to be filled in or skipped. only: empty for all.

    Raises BenchmarkChoiceError.
    """
    known = [benchmark.name for benchmark in benchmarks]
    for name in (*only, *skip):
        if name not in known:
            raise BenchmarkChoiceError(f"benchmark {name!r}: known are {', '.join(known)}")
    chosen = [name for name in known if (name in only or not only) and name not in skip]
    if not chosen:
        raise BenchmarkChoiceError(f"--only and --skip leave none to run of {', '.join(known)}")
    return {name: BenchmarkResult(state="not done" if name in chosen else "skipped") for name in known}


def result_of(ended: EndedProcess, *, options: list[str], seconds: float, load: float) -> BenchmarkResult:
    """Judge a process by its exit code and by its last line, which is to be one JSON object."""
    lines = list(ended.lines[-_LINES_KEPT:])
    figures = _last_object(ended.output)
    if ended.exit_code == 0 and figures is None:
        lines.append("it ended well, but its last line is no JSON object")
    is_done = ended.exit_code == 0 and figures is not None
    return BenchmarkResult(
        state="done" if is_done else "failed",
        options=options,
        seconds=round(seconds, 1),
        load_before=round(load, 2),
        exit_code=ended.exit_code,
        figures=figures or {},
        last_lines=[] if is_done else lines,
    )


def read_earlier(runs: Path, started: str) -> tuple[list[SuiteResult], list[str]]:
    """Return what runs beside this one found, the latest first, and why a file could not be read.

    runs: the folder with a folder for each run. started: runs from then on do not count.
    """
    found, unreadable = [], []
    for path in sorted(runs.glob(f"*/{RESULTS_FILE}")):
        try:
            found.append(SuiteResult.model_validate_json(path.read_text()))
        except (OSError, ValidationError) as error:
            unreadable.append(f"{path}: {str(error).splitlines()[0]}")
    earlier = [suite for suite in found if suite.started < started]
    return sorted(earlier, key=lambda suite: suite.started, reverse=True), unreadable


def latest_alike(name: str, suite: SuiteResult, earlier: Sequence[SuiteResult]) -> SuiteResult | None:
    """Return the latest earlier run in which this benchmark was done with the same options."""
    options = suite.benchmarks[name].options
    for before in earlier:
        result = before.benchmarks.get(name)
        if result is not None and result.state == "done" and result.options == options:
            return before
    return None


def _last_object(output: str) -> dict[str, Any] | None:
    """Return what the last line says; what is no number there (NaN, as Python writes it) is None."""
    lines = output.strip().splitlines()
    try:
        found = json.loads(lines[-1], parse_constant=lambda _: None) if lines else None
    except json.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
