"""Benchmarks run one by one; each is judged, kept, and compared with the one before that was alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simulations.benchmarks.benchmark_figures import Benchmark, Figure
from simulations.benchmarks.benchmark_results import (
    BenchmarkChoiceError,
    BenchmarkResult,
    EndedProcess,
    SuiteResult,
    choose,
    latest_alike,
    read_earlier,
    result_of,
)
from simulations.benchmarks.benchmark_rows import not_measured, rows_of, shown
from simulations.benchmarks.benchmark_suite import run_suite

SPEED = Figure("speed", "1/s", True, "things done", promised=100.0)
WAIT = Figure("wait_ms", "ms", False, "until it was done", promised=5.0)
SIZE = Figure("size", "rows", None, "rows of it")
FAST = Benchmark("fast", "Fast", "one", (SPEED, WAIT, SIZE), small={"rows": 10}, has_settings=True)
SLOW = Benchmark("slow", "Slow", "other", (SPEED,), small={"rate": 0.5})
BOTH = (FAST, SLOW)


def suite_of(started: str = "2026-01-02T00:00:00+00:00", **results: BenchmarkResult) -> SuiteResult:
    return SuiteResult(started=started, quick=False, machine={"cores": 2}, benchmarks=dict(results))


def done(*options: str, **figures: Any) -> BenchmarkResult:
    return BenchmarkResult(state="done", options=list(options), figures=figures)


def runner(
    ends: dict[str, EndedProcess], asked: list[list[str]] | None = None
) -> Callable[[list[str], Path], EndedProcess]:
    def run(arguments: list[str], log: Path) -> EndedProcess:
        if asked is not None:
            asked.append(arguments)
        return ends[arguments[1]]

    return run


@pytest.mark.parametrize(
    ("only", "skip", "run"),
    [([], [], ["fast", "slow"]), (["slow"], [], ["slow"]), ([], ["slow"], ["fast"])],
)
def test_what_is_left_out_is_marked_so(only: list[str], skip: list[str], run: list[str]) -> None:
    chosen = choose(BOTH, only, skip)
    assert list(chosen) == ["fast", "slow"]
    assert [name for name, result in chosen.items() if result.state == "not done"] == run


@pytest.mark.parametrize(("only", "skip"), [(["fats"], []), ([], ["fats"]), (["fast"], ["fast"])])
def test_a_choice_that_cannot_be_names_those_there_are(only: list[str], skip: list[str]) -> None:
    with pytest.raises(BenchmarkChoiceError, match="fast, slow"):
        choose(BOTH, only, skip)


def test_a_failure_is_kept_with_its_last_lines_and_the_next_is_run(tmp_path: Path) -> None:
    suite = suite_of(**choose(BOTH, [], []))
    ends = {
        "fast": EndedProcess(3, '{"speed": 1}', [f"line {number}" for number in range(90)]),
        "slow": EndedProcess(0, 'warm\n{"speed": 120.0, "odd": NaN}\n', ["some warning"]),
    }

    run_suite(suite, runner(ends), tmp_path, benchmarks=BOTH)

    kept = SuiteResult.model_validate_json((tmp_path / "results.json").read_text())
    assert kept == suite
    failed, well = kept.benchmarks["fast"], kept.benchmarks["slow"]
    assert (failed.state, failed.exit_code, failed.last_lines[-1]) == ("failed", 3, "line 89")
    assert (well.state, well.figures, well.last_lines) == ("done", {"speed": 120.0, "odd": None}, [])
    assert json.loads((tmp_path / "slow.json").read_text()) == well.figures
    assert not (tmp_path / "fast.json").exists()


@pytest.mark.parametrize("output", ["", "no JSON", "[1]", '{"speed": 1}\nand more'])
def test_without_an_object_as_its_last_line_a_benchmark_has_failed(output: str) -> None:
    result = result_of(EndedProcess(0, output, []), options=[], seconds=1.0, load=0.0)
    assert result.state == "failed"
    assert "no JSON object" in result.last_lines[-1]


def test_what_was_measured_is_kept_when_the_run_is_ended_midway(tmp_path: Path) -> None:
    def run(arguments: list[str], log: Path) -> EndedProcess:
        if arguments[1] == "slow":
            raise KeyboardInterrupt
        return EndedProcess(0, '{"speed": 1}', [])

    with pytest.raises(KeyboardInterrupt):
        run_suite(suite_of(**choose(BOTH, [], [])), run, tmp_path, benchmarks=BOTH)

    kept = SuiteResult.model_validate_json((tmp_path / "results.json").read_text())
    assert [result.state for result in kept.benchmarks.values()] == ["done", "not done"]


def test_small_sizes_and_settings_are_options_of_those_that_take_them(tmp_path: Path) -> None:
    asked: list[list[str]] = []
    suite = suite_of(**choose(BOTH, [], []))
    suite.quick = True
    ends = dict.fromkeys(("fast", "slow"), EndedProcess(0, "{}", []))
    run_suite(suite, runner(ends, asked), tmp_path, benchmarks=BOTH, settings=Path("my.toml"))
    assert asked == [
        ["bench", "fast", "--rows", "10", "--config", "my.toml", "--json"],
        ["bench", "slow", "--rate", "0.5", "--json"],
    ]


def test_the_latest_earlier_run_with_the_same_options_is_the_one_before(tmp_path: Path) -> None:
    runs = {
        "a": suite_of("2026-01-01T01:00:00+00:00", fast=done(speed=1.0)),
        "b": suite_of("2026-01-01T02:00:00+00:00", fast=done(speed=2.0)),
        "c": suite_of("2026-01-01T03:00:00+00:00", fast=done("--rows", "10", speed=3.0)),
        "d": suite_of("2026-01-01T04:00:00+00:00", fast=BenchmarkResult(state="failed")),
        "now": suite_of(fast=done(speed=4.0)),
    }
    for name, suite in runs.items():
        (tmp_path / name).mkdir()
        suite.write(tmp_path / name)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "results.json").write_text("[]")

    earlier, unreadable = read_earlier(tmp_path, runs["now"].started)

    assert [suite.started[11:13] for suite in earlier] == ["04", "03", "02", "01"]
    assert len(unreadable) == 1
    assert "other" in unreadable[0]
    before = latest_alike("fast", runs["now"], earlier)
    assert before is not None
    assert before.benchmarks["fast"].figures == {"speed": 2.0}
    runs["now"].benchmarks["fast"].options = ["--rows", "99"]
    assert latest_alike("fast", runs["now"], earlier) is None


@pytest.mark.parametrize(
    ("now", "before", "better"),
    [
        ({"speed": 120.0}, {"speed": 100.0}, True),
        ({"speed": 80.0}, {"speed": 100.0}, False),
        ({"speed": 105.0}, {"speed": 100.0}, None),
        ({"wait_ms": 2.0}, {"wait_ms": 4.0}, True),
        ({"wait_ms": 6.0}, {"wait_ms": 4.0}, False),
        ({"wait_ms": 6.0}, {"wait_ms": 0.0}, None),
        ({"size": 6}, {"size": 4}, None),
        ({"size": 6}, None, None),
    ],
)
def test_better_is_more_or_less_as_the_figure_has_it(
    now: dict[str, Any], before: dict[str, Any] | None, better: bool | None
) -> None:
    (row,) = rows_of(FAST, now, before, quick=False)
    assert row.is_better is better
    (small,) = rows_of(FAST, now, before, quick=True)
    assert small.is_better is None
    assert small.change == row.change


def test_promises_are_judged_at_their_own_sizes_only() -> None:
    figures = {"speed": 99.0, "wait_ms": 5.0, "size": 3}
    assert [row.is_kept for row in rows_of(FAST, figures, None, quick=False)] == [False, True, None]
    assert [row.is_kept for row in rows_of(FAST, figures, None, quick=True)] == [None, None, None]


def test_what_is_no_number_is_not_measured() -> None:
    figures = {"speed": None, "wait_ms": "soon", "size": 3}
    assert [row.figure for row in rows_of(FAST, figures, None, quick=False)] == [SIZE]
    assert not_measured(FAST, figures) == ["speed", "wait_ms"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (12345, "12,345"), (12345.6, "12,346"), (123.4, "123"), (1.2345, "1.23"), (0.01234, "0.0123")],
)
def test_three_digits_count(value: float, text: str) -> None:
    assert shown(value) == text
