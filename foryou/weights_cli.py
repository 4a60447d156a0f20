"""`foryou weights`: show, change and try what signals are worth."""

from __future__ import annotations

from typing import Annotated

import typer

from foryou.cli_options import ConfigOption, JsonOption, StateOption, refusing, settings_from
from foryou.console import print_report

weights_app = typer.Typer(help="What each signal is worth in the score.", no_args_is_help=True)

ChangesArgument = Annotated[list[str], typer.Argument(help="SIGNAL=WEIGHT, like share=2.5 negative=-12.")]


@weights_app.command("show")
def show_weights(config: ConfigOption = None, state: StateOption = None, as_json: JsonOption = False) -> None:
    """Show every signal's weight and the table's revision."""
    from foryou.weights_command import WeightsError, run_weights_show

    with refusing(WeightsError):
        report = run_weights_show(settings_from(config, state=state))
    print_report(report, "Weights", as_json=as_json)


@weights_app.command("set")
def set_weights(
    changes: ChangesArgument,
    replace: Annotated[bool, typer.Option("--replace", help="Signals left out count nothing.")] = False,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change some weights, durably; every replica ranks its next request with them."""
    from foryou.weights_command import WeightsError, run_weights_set

    with refusing(WeightsError):
        report = run_weights_set(settings_from(config, state=state), changes, replace=replace)
    print_report(report, "Weights", as_json=as_json)


@weights_app.command("preview")
def preview_weights(
    changes: ChangesArgument,
    user: Annotated[
        list[str] | None,
        typer.Option("--user", help="Whose slates; may be repeated. Default: those served last."),
    ] = None,
    num_users: Annotated[int, typer.Option("--people", help="How many of those served last.")] = 10,
    limit: Annotated[int, typer.Option(help="Contents in each slate.")] = 10,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what some people would see with other weights, beside what they see now. Changes nothing."""
    from foryou.weights_command import WeightsError, run_weights_preview

    with refusing(WeightsError):
        report = run_weights_preview(
            settings_from(config, state=state), changes, users=user or (), num_users=num_users, limit=limit
        )
    print_report(report, "Weights tried", as_json=as_json)
