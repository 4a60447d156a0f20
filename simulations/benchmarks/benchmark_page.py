"""The page of a run of all benchmarks: a table and pictures of each, the machine, and how to repeat it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from simulations.benchmarks.benchmark_figures import Benchmark
from simulations.benchmarks.benchmark_plots import save_plots
from simulations.benchmarks.benchmark_results import RESULTS_FILE, SuiteResult, latest_alike
from simulations.benchmarks.benchmark_rows import rows_of
from simulations.benchmarks.benchmark_section import (
    command_of,
    duration,
    failed_section,
    machine_line,
    measured_section,
    moment,
)
from simulations.benchmarks.page_table import Cell, table

PAGE_FILE = "index.html"

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 66rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 } tr { border-bottom: 1px solid #ddd }
th, td { padding: .3rem .8rem; text-align: left; vertical-align: top }
th.number, td.number { text-align: right; white-space: nowrap }
.name, code { font-family: ui-monospace, monospace; font-size: 13px }
img { display: block; max-width: 100%; margin: 1rem 0 }
.quiet { color: #666 } .good { color: #0b6e4f } .bad { color: #c1121f; font-weight: 600 }
.note { background: #fff4d6; padding: .6rem 1rem; border-left: 4px solid #d4a017 }
pre { background: #f6f6f6; padding: .6rem 1rem; overflow-x: auto }
"""

_LEFT_OUT = {"skipped": "left out (--only, --skip)", "not done": "not done: the run was ended before"}


def write_benchmark_page(
    suite: SuiteResult,
    benchmarks: Sequence[Benchmark],
    earlier: Sequence[SuiteResult],
    folder: Path,
    *,
    command: str,
    unreadable: Sequence[str] = (),
) -> Path:
    """Write index.html and the pictures beside it. earlier: other runs, the latest first; each benchmark is
    compared with the latest that ran it with the same options. command: what this run was started by.
    unreadable: files of other runs that could not be read, and why."""
    sections, missed = [], []
    for benchmark in benchmarks:
        result = suite.benchmarks[benchmark.name]
        if result.state == "failed":
            sections.append(failed_section(benchmark, result))
        if result.state != "done":
            continue
        before = latest_alike(benchmark.name, suite, earlier)
        was = None if before is None else before.benchmarks[benchmark.name].figures
        rows = rows_of(benchmark, result.figures, was, quick=suite.quick)
        missed += [f"{benchmark.name} {row.figure.name}" for row in rows if row.is_kept is False]
        pictures = save_plots(benchmark, result.figures, folder, quick=suite.quick)
        sections.append(measured_section(benchmark, suite, rows, before, pictures))
    not_compared = [f"Not compared with {problem}" for problem in unreadable]
    notes = "\n".join(
        f'<p class="note">{escape(note)}</p>' for note in [*_notes(suite, missed), *not_compared]
    )
    page = folder / PAGE_FILE
    page.write_text(
        f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>foryou: benchmarks of {escape(suite.started[:10])}</title>
<style>{_STYLE}</style>
<h1>Benchmarks of foryou</h1>
<p>{escape(machine_line(suite.machine))}. Started {escape(moment(suite.started))}. Everything as numbers:
<a href="{RESULTS_FILE}">{RESULTS_FILE}</a>.</p>
{notes}
{_overview(suite, benchmarks)}
{"".join(sections)}
<h2 id="machine">The machine</h2>
{_facts(suite.machine)}
<h2 id="repeat">Repeat it</h2>
<p>All of it, or one benchmark; each starts and ends what it needs. Figures of two machines differ, and on a
machine that does other things they say little: ratios suffer least.</p>
<pre>{escape(command)}

{escape(_commands(suite))}</pre>
</html>
"""
    )
    return page


def _notes(suite: SuiteResult, missed: Sequence[str]) -> Iterator[str]:
    """Yield what is to be known before any figure is read."""
    if suite.quick:
        yield (
            "Small sizes (--quick), to try the benchmarks out. Nothing is promised of such sizes: promises "
            "are not judged, and the figures say little of the system."
        )
    if failed := suite.names("failed"):
        yield f"Failed: {', '.join(failed)}."
    if missed:
        yield f"Promises missed here: {', '.join(missed)}."
    load, cores = suite.machine.get("load_at_start", 0.0), suite.machine.get("cores", 0)
    if load > cores / 2:
        yield f"The machine was busy as this began (load {load:g} on {cores} cores): times are longer for it."


def _overview(suite: SuiteResult, benchmarks: Sequence[Benchmark]) -> str:
    rows = []
    for benchmark in benchmarks:
        result = suite.benchmarks[benchmark.name]
        row = [Cell(benchmark.name, "name"), Cell(benchmark.title)]
        if result.state in _LEFT_OUT:
            rows.append([*row, Cell(_LEFT_OUT[result.state], "quiet"), Cell(), Cell()])
            continue
        row[0] = Cell(benchmark.name, "name", link=f"#{benchmark.name}")
        row.append(Cell(result.state, "bad" if result.state == "failed" else ""))
        row += [Cell(duration(result.seconds), "number"), Cell(f"{result.load_before:.2f}", "number")]
        rows.append(row)
    heads = [Cell("benchmark"), Cell("of"), Cell("state"), Cell("took", "number")]
    return table([*heads, Cell("load of the machine before", "number")], rows)


def _facts(machine: Mapping[str, Any]) -> str:
    return table(
        [],
        (
            [Cell(name.replace("_", " ")), Cell(str(fact)) if fact != "" else Cell("not set", "quiet")]
            for name, fact in machine.items()
        ),
    )


def _commands(suite: SuiteResult) -> str:
    ran = ((name, result) for name, result in suite.benchmarks.items() if result.state not in _LEFT_OUT)
    return "\n".join(command_of(name, result) for name, result in ran)
