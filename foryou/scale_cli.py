"""`foryou scale`: how many of a kind run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foryou.cli_options import ConfigOption, JsonOption, StateOption, refusing, settings_from
from foryou.console import print_report, progress_console

if TYPE_CHECKING:
    from actors.crews import CrewKind

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


@scale_app.command("joiners")
def joiners(
    number: Annotated[int, typer.Argument(help="How many joiners shall share the partitions.")],
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds to wait for it.")] = 120.0,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Share the partitions of FEED among more or fewer joiners; every event still counts once."""
    _scale_crew("joiners", number, timeout, config, state, as_json=as_json)


@scale_app.command("learners")
def learners(
    number: Annotated[
        int, typer.Argument(help="How many learners of each model shall share the partitions.")
    ],
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds to wait for it.")] = 120.0,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Share the partitions of EXAMPLES among more or fewer learners; every event is still learned once."""
    _scale_crew("learners", number, timeout, config, state, as_json=as_json)


def _scale_crew(
    kind: CrewKind,
    number: int,
    timeout: float,
    config: Path | None,
    state: Path | None,
    *,
    as_json: bool,
) -> None:
    from foryou.running_endpoints import NotRunningError
    from foryou.scale_command import ScaleError
    from foryou.scale_crew_command import run_scale_crew

    settings = settings_from(config, state=state)
    with refusing(ScaleError, NotRunningError), progress_console.status("sharing anew") as status:
        report = run_scale_crew(settings, kind, number, timeout=timeout, say=status.update)
    print_report(report, kind.capitalize(), as_json=as_json)


@scale_app.command("auto")
def auto(
    gigabytes: Annotated[float, typer.Option("--shard-gigabytes", help="What one shard should hold.")] = 12.0,
    least: Annotated[int, typer.Option("--least", help="Shards, at least.")] = 1,
    most: Annotated[int, typer.Option("--most", help="Shards, at most.")] = 16,
    span: Annotated[
        str | None, typer.Option("--for", help="How long: 90s, 15m, 2h; else until Ctrl-C.")
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", help="Of the API; default that of the state folder.")
    ] = None,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let the number of shards follow the bytes that they hold, and say whether the learner keeps pace."""
    import httpx

    from foryou.client import ApiError
    from foryou.operations_cli import running_url
    from foryou.operator_client import operator_client
    from foryou.running_endpoints import NotRunningError
    from foryou.scale_auto_command import run_scale_auto
    from foryou.scale_command import ScaleError, run_scale_shards
    from foryou.watch_command import WatchError, seconds_of_span
    from monitoring.scaling_policy import ScalingSettings

    settings = settings_from(config, state=state)
    with refusing(ValueError, WatchError, ScaleError, NotRunningError, ApiError, httpx.HTTPError):
        policy = ScalingSettings(least=least, most=most, each=gigabytes * 1e9)
        seconds = None if span is None else seconds_of_span(span)
        with (
            operator_client(settings, url or running_url(settings)) as client,
            progress_console.status("following") as status,
        ):
            report = run_scale_auto(
                client,
                lambda number: run_scale_shards(settings, number, timeout=600.0),
                policy,
                seconds=seconds,
                say=status.update,
            )
    print_report(report, "Followed", as_json=as_json)


@scale_app.command("replicas")
def replicas(
    number: Annotated[int, typer.Argument(help="How many replicas shall serve, at least.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change how many replicas of a deployed system serve; its other settings stay as deployed."""
    from foryou.deployment import DeploymentError
    from foryou.scale_replicas_command import run_scale_replicas

    settings = settings_from(config)
    with refusing(DeploymentError), progress_console.status("deploying") as status:
        report = run_scale_replicas(settings, number, say=status.update)
    print_report(report, "Replicas", as_json=as_json)
