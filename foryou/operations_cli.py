"""Commands for who runs a cluster: deploy, drain, nodes, watch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foryou.cli_options import ConfigOption, JsonOption, StateOption, refusing, settings_from
from foryou.console import print_report, progress_console, result_console

if TYPE_CHECKING:
    from foryou.settings import SystemSettings


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(deploy)
    app.command()(drain)
    app.command()(nodes)
    app.command()(watch)
    app.command()(size)


def deploy(
    rollback: Annotated[bool, typer.Option("--rollback", help="Go back to former settings.")] = False,
    to: Annotated[
        int | None,
        typer.Option("--to", help="With --rollback: number of the deployment; default the last but one."),
    ] = None,
    wait: Annotated[float, typer.Option("--wait", help="Seconds to wait for nodes.")] = 600.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put settings and code into the cluster at RAY_ADDRESS, with no failed request."""
    from foryou.deploy_command import run_deploy_command
    from foryou.deployment import DeploymentError

    settings = settings_from(config)
    with refusing(DeploymentError), progress_console.status("deploying") as status:
        report = run_deploy_command(
            settings,
            rollback=rollback,
            to=to,
            wait_seconds=wait,
            say=lambda step: status.update(f"deploying: {step}"),
        )
    print_report(report, "Deployed", as_json=as_json)


def drain(
    node: Annotated[
        str, typer.Argument(help="Its id, the beginning of it, or its address; see `foryou nodes`.")
    ],
    seconds: Annotated[float, typer.Option("--for", help="Seconds that parts may take to move.")] = 300.0,
    force: Annotated[bool, typer.Option("--force", help="Also where parts will wait for a node.")] = False,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move everything off a node, so that it can go without a loss."""
    from foryou.cluster_session import NoClusterError
    from foryou.drain_command import DrainError, run_drain_command

    settings = settings_from(config, state=state)
    with refusing(DrainError, NoClusterError), progress_console.status("draining") as status:
        report = run_drain_command(
            settings, node, seconds=seconds, force=force, say=lambda step: status.update(f"draining: {step}")
        )
    print_report(report, f"Drained {node}", as_json=as_json)


def nodes(config: ConfigOption = None, state: StateOption = None, as_json: JsonOption = False) -> None:
    """List the cluster's nodes, what each is for and what runs there."""
    from actors.node_reader import read_nodes
    from foryou.cluster_session import NoClusterError, cluster_session
    from foryou.status_view import draw_nodes

    settings = settings_from(config, state=state)
    with refusing(NoClusterError), cluster_session(settings):
        found = [node.report() for node in read_nodes()]
    if as_json:
        print_report({"nodes": found}, "Nodes", as_json=True)
    else:
        result_console.print(draw_nodes(found))


def watch(
    span: Annotated[str, typer.Option("--for", help="How long: 90s, 15m, 2h.")] = "15m",
    every: Annotated[float, typer.Option("--every", help="Seconds between readings.")] = 5.0,
    against: Annotated[
        Path | None, typer.Option("--against", help="What a former watch saved: the figures of before.")
    ] = None,
    save: Annotated[Path | None, typer.Option("--save", help="Write this watch's means here.")] = None,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="With the first alert, deploy the former settings again.")
    ] = False,
    url: Annotated[
        str | None, typer.Option("--url", help="Of the API; default that of the state folder.")
    ] = None,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare KPIs and health with before for a while; exit code 1 where they are worse."""
    from foryou.deployment import DeploymentError
    from foryou.operator_client import operator_client
    from foryou.watch_command import WatchError, means_of, read_before, seconds_of_span
    from foryou.watch_command import watch as watch_system

    settings = settings_from(config, state=state)
    with refusing(WatchError, DeploymentError), progress_console.status("watching") as status:
        with operator_client(settings, url or running_url(settings)) as client:
            report = watch_system(
                client,
                seconds=seconds_of_span(span),
                every_seconds=every,
                before=read_before(against),
                until_alert=rollback,
                say=lambda step: status.update(f"watching: {step}"),
            )
        if save is not None:
            save.write_text(json.dumps(means_of(report)))
        if rollback and not report["ok"]:
            from foryou.deploy_command import run_deploy_command

            report["rolled_back_to"] = run_deploy_command(settings, rollback=True)["rolled_back_to"]
    print_report(report, "Watched", as_json=as_json)
    if not report["ok"]:
        raise typer.Exit(1)


def size(
    people: Annotated[int, typer.Option("--people", help="Who come on a day.")] = 1_000_000,
    contents: Annotated[int, typer.Option("--contents", help="That can be shown.")] = 1_000_000,
    feeds: Annotated[float, typer.Option("--feeds", help="Of one person on a day.")] = 12.0,
    as_json: JsonOption = False,
) -> None:
    """Say how large a system must be: the arithmetic of docs/scaling.md."""
    from foryou.sizing import People, size_for

    found = size_for(People(daily=people, contents=contents, feeds=feeds))
    report = found.model_dump() | {"beyond_one": ", ".join(found.saturated())}
    print_report(report, "Size", as_json=as_json)


def running_url(settings: SystemSettings) -> str:
    from foryou.local_services import StateFolder
    from foryou.watch_command import WatchError

    running = StateFolder(settings.services.state).find_running()
    if running is None:
        raise WatchError(f"nothing runs on {settings.services.state}; --url says where the API is")
    return running.http_url
