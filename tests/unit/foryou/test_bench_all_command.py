"""`foryou bench all` runs every benchmark by its own command, keeps what came of it and writes a page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from foryou import bench_process
from foryou.bench_all_command import ResultsFolderError, run_bench_all_command
from foryou.cli import app
from simulations.benchmarks.benchmark_results import EndedProcess
from simulations.benchmarks.benchmark_suite import BENCHMARKS

FIGURES = {"cpu_ms": 4.0, "stages": {"rank": 2.0, "source.two_tower": 1.0, "observe": 0.5}}


def ends_well(arguments: list[str], log: Path) -> EndedProcess:
    return EndedProcess(0, json.dumps(FIGURES if arguments[1] == "request" else {}), [])


def test_results_and_page_are_where_the_answer_says(tmp_path: Path) -> None:
    said: list[str] = []
    answer = run_bench_all_command(ends_well, state=tmp_path, only=["request"], say=said.append)

    page = Path(answer["page"])
    assert page.parent.parent == tmp_path / "benchmarks"
    assert "foryou bench all --only request" in page.read_text()
    kept = json.loads(Path(answer["results"]).read_text())
    assert kept["benchmarks"]["request"]["figures"] == FIGURES
    assert kept["machine"]["cores"] >= 1
    assert answer["failed"] == []
    assert {key: answer[key] for key in kept} == kept
    assert said == ["request (1 of 1)", f"page: {page}"]


def test_a_second_run_beside_the_first_is_compared_with_it(tmp_path: Path) -> None:
    first = run_bench_all_command(ends_well, state=tmp_path, out=tmp_path / "a", only=["request"])
    results = Path(first["results"])
    results.write_text(results.read_text().replace(first["started"], "2020-01-01T00:00:00+00:00"))

    second = run_bench_all_command(ends_well, state=tmp_path, out=tmp_path / "b", only=["request"])

    assert "Before: the run of 2020-01-01" in Path(second["page"]).read_text()


def test_a_run_that_cannot_be_read_is_named_on_the_page(tmp_path: Path) -> None:
    broken = tmp_path / "a" / "results.json"
    broken.parent.mkdir()
    broken.write_text("half")

    answer = run_bench_all_command(ends_well, state=tmp_path, out=tmp_path / "b", only=["request"])

    assert f"Not compared with {broken}" in Path(answer["page"]).read_text()


def test_results_of_another_run_are_not_overwritten(tmp_path: Path) -> None:
    run_bench_all_command(ends_well, state=tmp_path, out=tmp_path, only=["request"])
    with pytest.raises(ResultsFolderError, match="name another --out"):
        run_bench_all_command(ends_well, state=tmp_path, out=tmp_path, only=["request"])


def test_a_run_that_is_ended_leaves_a_page_of_what_it_measured(tmp_path: Path) -> None:
    def run(arguments: list[str], log: Path) -> EndedProcess:
        if arguments[1] == "serve":
            raise KeyboardInterrupt
        return ends_well(arguments, log)

    with pytest.raises(KeyboardInterrupt):
        run_bench_all_command(run, state=tmp_path, out=tmp_path / "run", only=["request", "serve"])

    assert "not done: the run was ended before" in (tmp_path / "run" / "index.html").read_text()


def test_the_command_fails_where_a_benchmark_did_and_has_run_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(arguments: list[str], log: Path, tell: object) -> EndedProcess:
        return EndedProcess(7, "", ["no room"]) if arguments[1] == "table" else ends_well(arguments, log)

    monkeypatch.setattr(bench_process, "run_benchmark_process", run)
    out = tmp_path / "run"

    done = CliRunner().invoke(app, ["bench", "all", "--quick", "--out", str(out), "--json"])

    assert done.exit_code == 1, done.output
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["failed"] == ["table"]
    states = {name: result["state"] for name, result in answer["benchmarks"].items()}
    assert states == {benchmark.name: "done" for benchmark in BENCHMARKS} | {"table": "failed"}
    assert "no room" in (out / "index.html").read_text()


def test_a_benchmark_that_there_is_not_is_refused_with_those_there_are(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["bench", "all", "--only", "tables", "--out", str(tmp_path / "run")])
    assert done.exit_code == 2
    assert "table, learn, request" in " ".join(done.stderr.split())
    assert not (tmp_path / "run").exists()


def test_every_benchmark_is_a_command_that_takes_its_small_sizes() -> None:
    program: Any = typer.main.get_command(app)
    bench = program.commands["bench"]
    assert {benchmark.name for benchmark in BENCHMARKS} == bench.commands.keys() - {"all"}
    for benchmark in BENCHMARKS:
        options = {option for each in bench.commands[benchmark.name].params for option in each.opts}
        assert {"--json", *(f"--{name}" for name in benchmark.small)} <= options
        assert ("--config" in options) == benchmark.has_settings
