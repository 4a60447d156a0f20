"""`foryou snapshot`: have shards write down what they hold, look at what they kept, put it together anew."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foryou.cli_options import ConfigOption, JsonOption, StateOption, refusing, settings_from
from foryou.console import print_report, progress_console

snapshot_app = typer.Typer(help="Snapshots of the parameter server.", no_args_is_help=True)

RootOption = Annotated[
    str | None, typer.Option("--root", help="Folder or URI; default the one of the state folder.")
]


def _root(root: str | None, config: Path | None, state: Path | None) -> str:
    if root is not None:
        return root
    from foryou.system_plan import snapshot_root

    return str(snapshot_root(settings_from(config, state=state)))


@snapshot_app.command("create")
def create_snapshot(
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds to wait for it.")] = 300.0,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have the running shards write down what they hold now, and say where it is."""
    from foryou.cluster_session import NoClusterError
    from foryou.running_endpoints import NotRunningError
    from foryou.snapshot_create_command import SnapshotCreateError, run_snapshot_create

    settings = settings_from(config, state=state)
    with (
        refusing(SnapshotCreateError, NotRunningError, NoClusterError),
        progress_console.status("writing snapshots"),
    ):
        report = run_snapshot_create(settings, timeout=timeout)
    print_report(report, "Snapshots written", as_json=as_json)


@snapshot_app.command("list")
def list_snapshots(
    root: RootOption = None,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """List every snapshot with its shard, time, rows and bytes, and for which versions it is pinned."""
    from foryou.snapshot_command import SnapshotRootError, run_snapshot_list

    with refusing(SnapshotRootError):
        report = run_snapshot_list(_root(root, config, state))
    print_report(report, "Snapshots", as_json=as_json)


@snapshot_app.command("inspect")
def inspect_snapshot(
    name: Annotated[str, typer.Argument(help="As `list` names it.")],
    root: RootOption = None,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read a snapshot whole, check every byte, and say what it holds."""
    from foryou.snapshot_command import SnapshotError, SnapshotRootError, run_snapshot_inspect

    with refusing(SnapshotError, SnapshotRootError):
        report = run_snapshot_inspect(_root(root, config, state), name)
    print_report(report, name, as_json=as_json)


@snapshot_app.command("restore")
def restore_snapshot(
    target: Annotated[str, typer.Argument(help="An empty folder or URI.")],
    root: RootOption = None,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put the newest sound state of all buckets together: a system that begins from there holds all of it."""
    from foryou.snapshot_command import SnapshotError, SnapshotRootError, run_snapshot_restore

    with refusing(SnapshotError, SnapshotRootError):
        report = run_snapshot_restore(_root(root, config, state), target)
    print_report(report, "Restored", as_json=as_json)
