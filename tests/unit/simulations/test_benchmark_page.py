"""The page says what was measured, what was promised, what failed, and how to repeat it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from simulations.benchmarks.bar_plots import BAR_PLOTS
from simulations.benchmarks.benchmark_figures import Benchmark
from simulations.benchmarks.benchmark_page import write_benchmark_page
from simulations.benchmarks.benchmark_plots import stages_of
from simulations.benchmarks.benchmark_results import BenchmarkResult, SuiteResult
from simulations.benchmarks.benchmark_suite import BENCHMARKS

TABLE = {"pull_vs_take": 0.4, "memory_ratio": 1.2, "pull_us": 130.0, "growth_rows": 8_000_000}
REQUEST = {
    "contents": 3_000,
    "cpu_ms": 4.0,
    "stages": {"rank": 2.5, "source.two_tower": 1.0, "scorer.model_heads": 1.25, "observe": 0.25},
}
FRESHNESS = {"p50_ms": 170.0, "stages": {"join_ms": 20.0, "learn_ms": 90.0, "sync_ms": 60.0}}


class Text(HTMLParser):
    """Collects what a page says, the sources of its pictures and where its links lead."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.words: list[str] = []
        self.pictures: list[str] = []
        self.links: list[str] = []
        self.feed(page.read_text())

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "img":
            self.pictures.append(found["src"] or "")
        if tag == "a":
            self.links.append(found["href"] or "")

    def __str__(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def suite_of(started: str, *, quick: bool = False, **figures: dict[str, Any]) -> SuiteResult:
    results = {benchmark.name: BenchmarkResult(state="skipped") for benchmark in BENCHMARKS}
    results |= {name: BenchmarkResult(state="done", seconds=9, figures=of) for name, of in figures.items()}
    machine = {"processor": "A & B", "cores": 2, "load_at_start": 0.1, "openblas_coretype": ""}
    return SuiteResult(started=started, quick=quick, machine=machine, benchmarks=results)


def page_of(folder: Path, suite: SuiteResult, *earlier: SuiteResult) -> Text:
    page = write_benchmark_page(suite, BENCHMARKS, earlier, folder, command="foryou bench all")
    return Text(page)


def test_a_page_has_tables_pictures_promises_and_the_machine(tmp_path: Path) -> None:
    suite = suite_of("2026-01-02T03:04:05+00:00", table=TABLE, request=REQUEST, freshness=FRESHNESS)
    suite.benchmarks["learn"] = BenchmarkResult(
        state="failed", options=["--pairs", "9"], exit_code=2, last_lines=["no <broker>"]
    )

    page = page_of(tmp_path, suite)

    text = str(page)
    for said in (
        "2026-01-02 03:04:05 UTC",
        "at least 0.5: missed",
        "at most 1.35: kept",
        "Promises missed here: table pull_vs_take",
        "Failed: learn",
        "no <broker>",
        "foryou bench learn --pairs 9 --json",
        "left out (--only, --skip)",
        "A & B",
        "not set",
        "Not measured here: push_vs_fbgemm",
    ):
        assert said in text
    pictures = {"table-ratios.png", "request-stages.png", "freshness-stages.png", "freshness-latency.png"}
    assert set(page.pictures) == pictures
    assert {path.name for path in tmp_path.glob("*.png")} == pictures
    anchors = set(re.findall(r'id="(\w+)"', (tmp_path / "index.html").read_text()))
    assert {link.removeprefix("#") for link in page.links if link.startswith("#")} <= anchors
    assert "before" not in [word.strip() for word in page.words]


def test_small_sizes_are_said_to_be_small_and_promises_are_not_judged(tmp_path: Path) -> None:
    text = str(page_of(tmp_path, suite_of("2026-01-02T00:00:00+00:00", quick=True, table=TABLE)))
    assert "Small sizes (--quick)" in text
    assert "missed" not in text


def test_the_run_before_stands_beside(tmp_path: Path) -> None:
    before = suite_of("2026-01-01T00:00:00+00:00", table=TABLE | {"pull_us": 260.0, "memory_ratio": 1.0})
    before.machine["cores"] = 64
    now = suite_of("2026-01-02T00:00:00+00:00", table=TABLE, request=REQUEST)

    text = str(page_of(tmp_path, now, before))

    assert "Before: the run of 2026-01-01 00:00:00 UTC, on another machine" in text
    assert "0.50 better" in text
    assert "1.20 worse" in text
    assert text.count("now / before") == 1


def test_the_stages_of_a_request_add_up_to_it() -> None:
    _, unit, stages = stages_of("request", REQUEST)["request-stages.png"]
    assert unit.startswith("milliseconds")
    assert sum(stages.values()) == pytest.approx(REQUEST["cpu_ms"])
    assert "rank" not in stages


@pytest.mark.parametrize("benchmark", BENCHMARKS, ids=lambda benchmark: benchmark.name)
def test_what_was_not_measured_leaves_the_page_whole(tmp_path: Path, benchmark: Benchmark) -> None:
    gaps: dict[str, Any] = dict.fromkeys(("cpu_ms", "p50_ms", "stage_join_share", "vs_vw"))
    gaps["stages"] = dict.fromkeys(("join_ms", "learn_ms", "source.fresh", "observe"))

    text = str(page_of(tmp_path, suite_of("2026-01-02T00:00:00+00:00", **{benchmark.name: gaps})))

    assert f"Not measured here: {benchmark.figures[0].name}" in text
    assert not list(tmp_path.glob("*.png"))


def test_pictures_are_of_figures_that_the_table_explains() -> None:
    for benchmark in BENCHMARKS:
        drawn = {bar.figure for plot in BAR_PLOTS.get(benchmark.name, ()) for bar in plot.bars}
        assert drawn <= {figure.name for figure in benchmark.figures}
