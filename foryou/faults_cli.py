"""The commands that prove and mend: `foryou chaos`, `foryou rebuild`, `foryou bench durability`."""

from __future__ import annotations

import signal
import sys
from typing import Annotated

import typer
from rich.console import Console

from foryou.bench_cli import bench_app
from foryou.cli_options import ConfigOption, JsonOption, StateOption, refusing, settings_from
from foryou.console import print_report, progress_console


def register(app: typer.Typer) -> None:
    """Put the commands where all others are."""
    app.command()(chaos)
    app.command()(rebuild)
    bench_app.command("durability")(bench_durability)


def chaos(
    schedules: Annotated[int, typer.Option(min=1, help="How many schedules, one after the other.")] = 10,
    seed: Annotated[int, typer.Option(help="Of the stream and of all faults.")] = 0,
    first: Annotated[int, typer.Option(min=0, help="Begin with this one: to have one again.")] = 0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Kill, pause and cut off parts of a system of its own, and compare its accounts with a clean run's."""
    from foryou.chaos_command import run_chaos_command

    told = Console(file=sys.stderr, highlight=False)  # what is printed to `sys.stderr` meanwhile is Ray's
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C does, it ends what was started
    report = run_chaos_command(
        settings_from(config), schedules=schedules, seed=seed, first=first, say=told.print
    )
    print_report(report, "Faults", as_json=as_json)
    if report["problems"]:
        raise typer.Exit(1)


def rebuild(config: ConfigOption = None, state: StateOption = None, as_json: JsonOption = False) -> None:
    """Fill an emptied store, emptied snapshots, or a gap again, from the streams and the archive."""
    from actors.archive_files import ArchiveError
    from actors.state_rebuild import RebuildError
    from foryou.local_services import StateFolderInUseError
    from foryou.rebuild_command import run_rebuild_command

    settings = settings_from(config, state=state)
    with (
        refusing(RebuildError, ArchiveError, StateFolderInUseError),
        progress_console.status("rebuilding"),
    ):
        report = run_rebuild_command(settings)
    print_report(report, "Rebuilt", as_json=as_json)


def bench_durability(
    events: Annotated[int, typer.Option(min=100, help="Of each part of the measurement.")] = 5_000,
    as_json: JsonOption = False,
) -> None:
    """Measure what each services.nats_sync costs, and what SIGKILL of NATS takes with it: nothing."""
    from foryou.durability_command import run_durability_command

    with progress_console.status("measuring"):
        report = run_durability_command(events)
    print_report(report, "Durability", as_json=as_json)
