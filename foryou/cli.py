"""The command `foryou`. Each command reads settings, does one thing, and reports; the work is elsewhere."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer

from foryou.cli_options import (
    ConfigOption,
    HostOption,
    JsonOption,
    MappingOption,
    PortOption,
    StateOption,
    refusing,
    settings_from,
)
from foryou.config_import_cli import config_app
from foryou.console import print_report, progress_console, result_console
from foryou.evaluate_exploration_cli import register as register_exploration
from foryou.experiment_cli import evaluate_app
from foryou.experiment_cli import register as register_experiment_commands
from foryou.faults_cli import register as register_fault_commands
from foryou.models_cli import models_app
from foryou.operations_cli import register as register_operations_commands
from foryou.quarantine_cli import quarantine_app
from foryou.scale_cli import scale_app
from foryou.snapshot_cli import snapshot_app
from foryou.training_cli import register as register_training_commands
from foryou.weights_cli import weights_app

app = typer.Typer(
    help="A For-You feed that learns while people scroll.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    add_completion=False,
)
content_app = typer.Typer(help="The catalogue.", no_args_is_help=True)
app.add_typer(content_app, name="content")

register_experiment_commands(app)
register_exploration(evaluate_app)
register_training_commands(app)
register_operations_commands(app)
register_fault_commands(app)
app.add_typer(snapshot_app, name="snapshot")
app.add_typer(quarantine_app, name="quarantine")
app.add_typer(scale_app, name="scale")
app.add_typer(models_app, name="models")
app.add_typer(weights_app, name="weights")
app.add_typer(config_app, name="config")


@app.command()
def up(
    config: ConfigOption = None, state: StateOption = None, port: PortOption = None, host: HostOption = None
) -> None:
    """Start everything and serve, until Ctrl-C."""
    from foryou.system import System

    settings = settings_from(config, state=state, port=port, host=host)
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C does, it ends what was started
    with progress_console.status("starting") as status:
        system = System(settings, say=lambda step: status.update(f"starting {step}"))
        system.__enter__()
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopped.set())
        result_console.print(
            f"foryou serves at [bold]{system.http_url}[/bold]  (docs: {system.http_url}/docs)\n"
            f"NATS {system.endpoints.nats_url}   store {system.endpoints.store_url}   Ctrl-C stops"
        )
        stopped.wait()
    finally:
        with progress_console.status("stopping"):
            system.stop()


@app.command()
def demo(
    seconds: Annotated[
        float | None, typer.Option("--for", help="Seconds to run; without it until Ctrl-C.")
    ] = None,
    config: ConfigOption = None,
    state: StateOption = None,
    port: PortOption = None,
    as_json: JsonOption = False,
    report: Annotated[Path, typer.Option(help="Folder for the plot.")] = Path("demo-report"),
    people: Annotated[int, typer.Option(help="Simulated people in each arm.")] = 200,
    seed: Annotated[int, typer.Option(help="Of the simulated world.")] = 0,
) -> None:
    """Run the whole system with simulated people, beside a random, a popularity and a frozen feed."""
    from foryou.demo_command import DemoFailedError, run_demo_command

    settings = settings_from(config, state=state, port=port)
    with refusing(DemoFailedError, code=1):
        summary = run_demo_command(
            settings, seconds=seconds, report=report, num_people=people, seed=seed, own_state=state is None
        )
    print_report(summary, "What people did", as_json=as_json)


@app.command()
def replay(
    dataset: Annotated[str, typer.Argument(help="kuairand, movielens, file, recording or archive")],
    path: Annotated[
        str, typer.Option("--path", help="Folder with the official files; of an archive also a URI.")
    ],
    speed: Annotated[str, typer.Option("--speed", help="Times the log's own speed, or max.")] = "max",
    in_process: Annotated[bool, typer.Option("--in-process", help="Without Ray, broker and store.")] = False,
    limit: Annotated[int | None, typer.Option("--limit", help="Only the first so many rows.")] = None,
    mapping: MappingOption = None,
    start: Annotated[str | None, typer.Option("--from", help="Begin at this time of the log.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="End before this time of the log.")] = None,
    candidate: Annotated[
        Path | None, typer.Option(help="Settings file to compare with on the same stretch; --in-process.")
    ] = None,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a real log through the system, on the log's own clock, in a namespace of its own."""
    from foryou.replay_command import ReplayError, run_replay_command

    settings = settings_from(config, state=state)
    with refusing(ReplayError):
        report = run_replay_command(
            settings,
            dataset=dataset,
            path=path,
            speed=speed,
            in_process=in_process,
            limit=limit,
            mapping=mapping,
            start=start,
            end=end,
            candidate=None if candidate is None else settings_from(candidate, state=state),
        )
    print_report(report, f"Replay of {dataset}", as_json=as_json)


@app.command()
def status(config: ConfigOption = None, state: StateOption = None, as_json: JsonOption = False) -> None:
    """Say what runs on the state folder and how it is."""
    import httpx

    from foryou.client import ApiError
    from foryou.local_services import StateFolder
    from foryou.operator_client import operator_client
    from foryou.status_view import draw_status

    settings = settings_from(config, state=state)
    running = StateFolder(settings.services.state).find_running()
    if running is None:
        progress_console.print(f"nothing runs on {settings.services.state}; `foryou up` starts it")
        print_report({"running": False}, "foryou", as_json=as_json)
        raise typer.Exit(3)
    try:
        with operator_client(settings, running.http_url) as client:
            answer = client.status()
    except (ApiError, httpx.HTTPError) as error:
        progress_console.print(f"[red]{running.http_url} does not answer: {error}[/red]")
        raise typer.Exit(4) from error
    if as_json:
        print_report({"running": True, "http": running.http_url, **answer}, "foryou", as_json=True)
    else:
        result_console.print(draw_status(answer, running.http_url))


@app.command()
def doctor(config: ConfigOption = None, state: StateOption = None, as_json: JsonOption = False) -> None:
    """Check that this machine can run foryou, and say how to mend what is missing."""
    from foryou.doctor import run_checks

    settings = settings_from(config, state=state)
    problems = {}
    for check in run_checks(settings.services.state):
        if not as_json:
            sign = "[green]ok[/green]" if check.is_ok else "[red]no[/red]"
            result_console.print(
                f" {sign}  {check.name}: {check.found}" + ("" if check.is_ok else f"  -> {check.mend}")
            )
        if not check.is_ok:
            problems[check.name] = check.mend
    if as_json:
        print_report({"ok": not problems, "problems": problems}, "doctor", as_json=True)
    if problems:
        raise typer.Exit(1)


@content_app.command("import")
def content_import(
    file: Annotated[Path, typer.Argument(help="Parquet, CSV or NDJSON, one content a row.")],
    picture_weights: Annotated[
        Path | None, typer.Option("--picture-weights", help="ResNet-18 state dict; else downloaded once.")
    ] = None,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring many contents in at once: into the store, and as uploads onto FEED."""
    from foryou.content_import import ContentFileError, NotRunningError, import_contents

    settings = settings_from(config, state=state)
    with refusing(ContentFileError, NotRunningError):
        report = import_contents(settings, file, picture_weights)
    print_report(report, f"Import of {file.name}", as_json=as_json)


def main() -> None:
    """Run the command line."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
