"""`foryou bench serve`, `request`, `freshness` and `models`."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from foryou.bench_progress import measuring
from foryou.cli_options import ConfigOption, JsonOption, refusing, settings_from
from foryou.console import print_report, progress_console

_UNITS = {"s": 1.0, "": 1.0, "m": 60.0, "min": 60.0, "h": 3_600.0}


def register(bench_app: typer.Typer) -> None:
    """Add the benchmarks of serving to `foryou bench`."""
    bench_app.command("serve")(bench_serve)
    bench_app.command("request")(bench_request)
    bench_app.command("freshness")(bench_freshness)
    bench_app.command("models")(bench_models)


def bench_serve(
    contents: Annotated[int, typer.Option(help="In the catalogue, by bulk import.")] = 1_000_000,
    small: Annotated[int, typer.Option(help="Contents at which one connection is measured too.")] = 10_000,
    users: Annotated[int, typer.Option(help="People, one drawn for each request.")] = 10_000,
    seconds: Annotated[float, typer.Option(help="Of each measurement.")] = 10.0,
    rounds: Annotated[int, typer.Option(help="How often feed and no-op take turns.")] = 3,
    connections: Annotated[int, typer.Option(help="At the peak.")] = 16,
    replicas: Annotated[
        int | None, typer.Option(help="Of the feed and of what does nothing; else as the settings say.")
    ] = None,
    overload: Annotated[bool, typer.Option("--overload", help="Offer twice the peak afterwards.")] = False,
    soak: Annotated[
        str | None, typer.Option("--soak", help="Serve at half of the peak for so long: 20m, 90s.")
    ] = None,
    seed: Annotated[int, typer.Option()] = 0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure feeds a second from outside, beside a deployment that does nothing, in a system of its own."""
    from foryou.bench_serve_command import BenchmarkError, run_bench_serve_command
    from simulations.benchmarks.serve_benchmark import ServeBenchmarkSettings

    benchmark = ServeBenchmarkSettings(
        num_contents=contents,
        num_small=small,
        num_users=users,
        seconds=seconds,
        rounds=rounds,
        connections=connections,
        replicas=replicas,
        seed=seed,
    )
    soak_seconds = 0.0 if soak is None else seconds_of(soak)
    with refusing(BenchmarkError), measuring() as say:
        answer = run_bench_serve_command(
            settings_from(config), benchmark, overload=overload, soak_seconds=soak_seconds, say=say
        )
    print_report(answer, "Serving", as_json=as_json)


def bench_request(
    contents: Annotated[int, typer.Option(help="In the catalogue.")] = 1_000_000,
    requests: Annotated[int, typer.Option(help="Measured, after half as many.")] = 2_000,
    seed: Annotated[int, typer.Option()] = 0,
    as_json: JsonOption = False,
) -> None:
    """Measure the processor time of a request and its stages in one process: no proxy, store or broker."""
    from foryou.bench_request_command import run_bench_request_command
    from simulations.benchmarks.request_benchmark import RequestBenchmarkSettings

    benchmark = RequestBenchmarkSettings(num_contents=contents, requests=requests, seed=seed)
    with progress_console.status("measuring"):
        answer = run_bench_request_command(benchmark)
    print_report(answer, "One request", as_json=as_json)


def bench_freshness(
    contents: Annotated[int, typer.Option(help="In the catalogue, by bulk import.")] = 200_000,
    users: Annotated[int, typer.Option(help="People, one drawn for each request.")] = 10_000,
    events: Annotated[float, typer.Option(help="Events a second.")] = 1_000.0,
    feeds: Annotated[float, typer.Option(help="Feeds a second.")] = 50.0,
    seconds: Annotated[float, typer.Option(help="Measured, after the warm-up.")] = 60.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure how long an event takes to change what is served, under load, in a system of its own."""
    from foryou.bench_freshness_command import BenchmarkError, run_bench_freshness_command
    from simulations.benchmarks.freshness_load import FreshnessPlan

    plan = FreshnessPlan(num_users=users, events_per_s=events, feeds_per_s=feeds, seconds=seconds)
    with refusing(BenchmarkError), measuring() as say:
        answer = run_bench_freshness_command(settings_from(config), plan, num_contents=contents, say=say)
    print_report(answer, "Freshness", as_json=as_json)


def bench_models(
    contents: Annotated[int, typer.Option(help="In the catalogue, by bulk import.")] = 10_000,
    events: Annotated[float, typer.Option(help="Events a second while learners are measured.")] = 200.0,
    seconds: Annotated[float, typer.Option(help="Of each of the three loads.")] = 15.0,
    rounds: Annotated[int, typer.Option(help="How often canary and no canary take turns.")] = 3,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure what a second model costs: learners' CPU, answers beside a canary; in a system of its own."""
    from foryou.bench_models_command import (
        BenchmarkError,
        ModelsBenchmarkError,
        run_bench_models_command,
    )
    from simulations.benchmarks.models_benchmark import ModelsBenchmarkSettings

    benchmark = ModelsBenchmarkSettings(
        num_contents=contents, events_per_s=events, seconds=seconds, rounds=rounds
    )
    with (
        refusing(BenchmarkError, ModelsBenchmarkError),
        measuring() as say,
    ):
        answer = run_bench_models_command(settings_from(config), benchmark, say=say)
    print_report(answer, "Two models", as_json=as_json)


def seconds_of(text: str) -> float:
    """Read 20m, 90s, 1h. Raises typer.BadParameter."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip())
    if found is None or found[2] not in _UNITS:
        raise typer.BadParameter(f"{text!r}: expected a time like 20m, 90s or 1h")
    return float(found[1]) * _UNITS[found[2]]
