"""`foryou bench`: all benchmarks under one roof; `table` and `learn` are here, others beside."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated, Any

import typer

from foryou.bench_progress import measuring
from foryou.cli_options import ConfigOption, JsonOption, StateOption, refusing, settings_from
from foryou.console import print_report, result_console

bench_app = typer.Typer(
    help="Benchmarks: ratios from one run, medians, the machine's facts. `foryou bench all` runs them all."
)


@bench_app.callback(invoke_without_command=True)
def bench(context: typer.Context) -> None:
    """Run every benchmark where none is named."""
    if context.invoked_subcommand is None:
        bench_all()


@bench_app.command("all")
def bench_all(
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for results and page; else one by the time under .foryou/benchmarks."),
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="Run this one; again for more.")] = None,
    skip: Annotated[list[str] | None, typer.Option(help="Leave this one out; again for more.")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Small sizes, to try it: nothing is promised of such.")
    ] = False,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run all benchmarks one after the other; results are kept as JSON, and a page shows them."""
    from foryou.bench_all_command import BenchmarkChoiceError, ResultsFolderError, run_bench_all_command
    from foryou.bench_process import run_benchmark_process

    for number in (signal.SIGTERM, signal.SIGINT):  # scripts ignore SIGINT in what they start beside them,
        signal.signal(number, signal.default_int_handler)  # and so would the benchmarks that are ended by it
    folder = settings_from(config, state=state).services.state
    with refusing(BenchmarkChoiceError, ResultsFolderError), measuring() as show:
        doing = ""

        def say(step: str) -> None:
            nonlocal doing
            doing = step
            show(step)

        answer = run_bench_all_command(
            lambda arguments, log: run_benchmark_process(
                arguments, log, lambda line: show(f"{doing}: {line}")
            ),
            state=folder,
            out=out,
            only=only or (),
            skip=skip or (),
            quick=quick,
            config=config,
            say=say,
        )
    if as_json:
        print_report(answer, "Benchmarks", as_json=True)
    else:
        _print_states(answer)
    if answer["failed"]:
        raise typer.Exit(1)


def _print_states(answer: dict[str, Any]) -> None:
    states = {
        name: result["state"] + (f" in {result['seconds']:.0f} s" if result["seconds"] else "")
        for name, result in answer["benchmarks"].items()
    }
    print_report(states, "Benchmarks", as_json=False)
    result_console.print(f"page: {answer['page']}", soft_wrap=True)


@bench_app.command("table")
def bench_table(
    rows: Annotated[int, typer.Option(help="Of the tables that are measured.")] = 1_000_000,
    grown: Annotated[int, typer.Option(help="Rows up to which growth is measured.")] = 8_000_000,
    as_json: JsonOption = False,
) -> None:
    """Measure the parameter server: pull, push, growth, memory, snapshots, deltas."""
    from foryou.bench_table_command import run_bench_table_command

    with measuring() as say:
        answer = run_bench_table_command(num_rows=rows, num_grown=grown, say=say)
    print_report(answer, "Parameter server", as_json=as_json)


@bench_app.command("learn")
def bench_learn(
    pairs: Annotated[int, typer.Option(help="Impressions with their event.")] = 30_000,
    users: Annotated[int, typer.Option(help="Whom they belong to.")] = 10_000,
    many_users: Annotated[int, typer.Option(help="With how many the cost of one is compared.")] = 1_000_000,
    offered: Annotated[float, typer.Option(help="Events a second while latency is measured.")] = 1_000.0,
    seconds: Annotated[float, typer.Option(help="How long latency is measured.")] = 15.0,
    slate: Annotated[int, typer.Option(help="Contents served at once, meanwhile.")] = 20,
    in_process: Annotated[
        bool, typer.Option("--in-process", help="Only what one process does, without Ray and broker.")
    ] = False,
    seed: Annotated[int, typer.Option()] = 0,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure joining and learning: through the system, by stage, beside plain arrays and Vowpal Wabbit."""
    from foryou.bench_learn_command import run_bench_learn_command

    with measuring() as say:
        answer = run_bench_learn_command(
            settings_from(config, state=state),
            num_pairs=pairs,
            num_users=users,
            many_users=many_users,
            offered_per_s=offered,
            latency_seconds=seconds,
            slate=slate,
            seed=seed,
            through_system=not in_process,
            say=say,
        )
    print_report(answer, "Learning", as_json=as_json)
