"""`foryou quarantine`: what the learning guard put aside."""

from __future__ import annotations

from typing import Annotated

import typer

from foryou.cli_options import ConfigOption, JsonOption, StateOption, refusing, settings_from
from foryou.console import print_report, progress_console

quarantine_app = typer.Typer(
    help="Batches that were not learned from: look at them, let them in.", no_args_is_help=True
)

ModelOption = Annotated[str, typer.Option("--model", help="Whose learner put it aside.")]
NumberArgument = Annotated[int, typer.Argument(help="As `list` numbers it.")]


@quarantine_app.command("list")
def list_entries(
    model: ModelOption = "production",
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """List every batch that was put aside, why, and what became of it."""
    from foryou.quarantine_command import run_quarantine_list
    from foryou.running_endpoints import NotRunningError

    with refusing(NotRunningError):
        report = run_quarantine_list(settings_from(config, state=state), model)
    print_report(report, "Quarantine", as_json=as_json)


@quarantine_app.command("show")
def show_entry(
    number: NumberArgument,
    model: ModelOption = "production",
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read a batch again and say what is in it."""
    from foryou.quarantine_command import QuarantineError, run_quarantine_show
    from foryou.running_endpoints import NotRunningError

    with refusing(QuarantineError, NotRunningError):
        report = run_quarantine_show(settings_from(config, state=state), model, number)
    print_report(report, f"Entry {number}", as_json=as_json)


@quarantine_app.command("admit")
def admit_entry(
    number: NumberArgument,
    model: ModelOption = "production",
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds to wait for it.")] = 120.0,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have a batch learned after all, exactly once."""
    from foryou.quarantine_command import QuarantineError, run_quarantine_admit
    from foryou.running_endpoints import NotRunningError

    settings = settings_from(config, state=state)
    with refusing(QuarantineError, NotRunningError), progress_console.status("waiting for the learner"):
        report = run_quarantine_admit(settings, model, number, timeout=timeout)
    print_report(report, f"Entry {number}", as_json=as_json)
