"""`foryou scale`: how many of a kind run."""

from __future__ import annotations

from typing import Annotated

import typer

from foryou.cli_options import ConfigOption, JsonOption, StateOption, refusing, settings_from
from foryou.console import print_report, progress_console

scale_app = typer.Typer(help="Change how many of a kind run, while all goes on.", no_args_is_help=True)


@scale_app.callback()
def scale() -> None:
    """Change how many of a kind run, while all goes on."""


@scale_app.command("shards")
def shards(
    number: Annotated[int, typer.Argument(help="How many shards shall hold the parameters.")],
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds to wait for it.")] = 600.0,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move buckets to more or fewer shards; learning and serving go on, and every event counts once."""
    from foryou.running_endpoints import NotRunningError
    from foryou.scale_command import ScaleError, run_scale_shards

    settings = settings_from(config, state=state)
    with refusing(ScaleError, NotRunningError), progress_console.status("moving buckets") as status:
        report = run_scale_shards(settings, number, timeout=timeout, say=status.update)
    print_report(report, "Shards", as_json=as_json)
