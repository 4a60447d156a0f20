"""The part of the page about one benchmark: what its figures say, what was promised, what was before."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from simulations.benchmarks.benchmark_figures import Benchmark
from simulations.benchmarks.benchmark_results import BenchmarkResult, SuiteResult
from simulations.benchmarks.benchmark_rows import NOTICED, FigureRow, not_measured, shown
from simulations.benchmarks.page_table import Cell, table


def measured_section(
    benchmark: Benchmark,
    suite: SuiteResult,
    rows: Sequence[FigureRow],
    before: SuiteResult | None,
    pictures: Mapping[str, str],
) -> str:
    """Return the markup of a benchmark that was measured. pictures: titles by file name."""
    result = suite.benchmarks[benchmark.name]
    has_promises = any(row.is_kept is not None for row in rows)
    heads = [Cell("figure"), Cell("value", "number"), Cell("unit"), Cell("what it says")]
    heads += [Cell("promised")] * has_promises
    heads += [Cell("before", "number"), Cell("now / before", "number")] * (before is not None)
    cells = [
        _cells(row) + [_promise(row)] * has_promises + (_change(row) if before is not None else [])
        for row in rows
    ]
    lacking = ", ".join(not_measured(benchmark, result.figures))
    images = "\n".join(
        f'<img src="{escape(file)}" alt="{escape(title)}">' for file, title in pictures.items()
    )
    return f"""
<h2 id="{benchmark.name}">{escape(benchmark.title)}</h2>
<p>{escape(benchmark.about)}</p>
{_compared(suite, before)}
{table(heads, cells)}
{f'<p class="quiet">Not measured here: {escape(lacking)}.</p>' if lacking else ""}
{images}
<p class="quiet">All its figures: <a href="{benchmark.name}.json">{benchmark.name}.json</a>. Again:
<code>{escape(command_of(benchmark.name, result))}</code></p>
"""


def failed_section(benchmark: Benchmark, result: BenchmarkResult) -> str:
    """Return the markup of a benchmark that failed."""
    last_lines = "\n".join(result.last_lines) or "nothing"
    return f"""
<h2 id="{benchmark.name}">{escape(benchmark.title)}</h2>
<p class="bad">Failed after {duration(result.seconds)}, exit code {result.exit_code}. What it said last (all
of it: <a href="{benchmark.name}.log">{benchmark.name}.log</a>):</p>
<pre>{escape(last_lines)}</pre>
<p class="quiet">Again: <code>{escape(command_of(benchmark.name, result))}</code></p>
"""


def command_of(name: str, result: BenchmarkResult) -> str:
    """Return the line that runs one benchmark as it ran."""
    return shlex.join(["foryou", "bench", name, *result.options, "--json"])


def machine_line(machine: Mapping[str, Any]) -> str:
    """Say on what a run was, in a line."""
    return (
        f"{machine.get('processor') or 'unknown processor'}, {machine.get('cores')} cores, "
        f"{machine.get('memory_gib')} GiB, {machine.get('kernel')}, foryou {machine.get('foryou')}"
    )


def moment(started: str) -> str:
    return f"{started[:10]} {started[11:19]} UTC"


def duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def _cells(row: FigureRow) -> list[Cell]:
    figure = row.figure
    return [
        Cell(figure.name, "name"),
        Cell(shown(row.value), "number"),
        Cell(figure.unit),
        Cell(figure.meaning),
    ]


def _promise(row: FigureRow) -> Cell:
    if row.is_kept is None:
        return Cell()
    bound = f"{'at least' if row.figure.more_is_better else 'at most'} {row.figure.promised:g}"
    return Cell(f"{bound}: kept", "good") if row.is_kept else Cell(f"{bound}: missed", "bad")


def _change(row: FigureRow) -> list[Cell]:
    before = Cell("" if row.before is None else shown(row.before), "number")
    if row.change is None:
        return [before, Cell()]
    kind, word = {True: ("good", " better"), False: ("bad", " worse"), None: ("", "")}[row.is_better]
    return [before, Cell(f"{row.change:.2f}{word}", f"number {kind}".strip())]


def _compared(suite: SuiteResult, before: SuiteResult | None) -> str:
    if before is None:
        return ""
    elsewhere = ""
    if any(before.machine.get(fact) != suite.machine.get(fact) for fact in ("processor", "cores")):
        elsewhere = f", on another machine ({machine_line(before.machine)})"
    said = f"Less than {NOTICED:.0%} is not called better or worse; where it is more, repeat both to be sure."
    if suite.quick:
        said = "At small sizes no difference is called better or worse."
    run = moment(before.started) + elsewhere
    return f'<p class="quiet">Before: the run of {escape(run)}, with the same options. {escape(said)}</p>'
