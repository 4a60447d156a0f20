"""`foryou experiment nodes` and `scaling`: nodes that come and go, and what one more part adds."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from foryou.cli_options import ConfigOption, JsonOption, refusing, settings_from
from foryou.console import print_report, progress_console

PathOption = Annotated[Path, typer.Option("--path", help="Folder with KuaiRand's files.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the experiments."""
    app.command("nodes")(experiment_nodes)
    app.command("scaling")(experiment_scaling)


def experiment_nodes(
    path: PathOption,
    only: Annotated[
        str | None,
        typer.Option(help="Steps by comma: calm, update, head, add, scale, kill, cut, drain."),
    ] = None,
    rows_per_second: Annotated[float, typer.Option(min=1, help="Of the log, during the steps.")] = 150.0,
    limit: Annotated[int | None, typer.Option(min=1, help="Replay only the first so many rows.")] = None,
    inside: Annotated[bool, typer.Option(hidden=True)] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start three nodes on this machine; add, kill, cut off, drain and update some; compare the accounts."""
    from foryou.experiment_nodes_command import run_experiment_nodes
    from foryou.local_services import LocalServiceError
    from foryou.node_cluster import NodeError
    from foryou.node_trial import STEPS, TrialError
    from foryou.own_network import NoOwnNetworkError, in_own_network
    from simulations.kuairand import KuaiRandFormatError

    steps = list(STEPS) if only is None else [step.strip() for step in only.split(",")]
    with refusing(ValueError, NoOwnNetworkError):
        if unknown := [step for step in steps if step not in STEPS]:
            raise ValueError(f"--only {', '.join(unknown)}: the steps are {', '.join(STEPS)}")
        if not inside:
            words = ["-m", "foryou", *sys.argv[1:], "--inside"]
            raise typer.Exit(subprocess.run(in_own_network(words)).returncode)
    settings = settings_from(config)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C does, it ends what was started
    with refusing(KuaiRandFormatError, NoOwnNetworkError, NodeError, TrialError, LocalServiceError):
        report = run_experiment_nodes(
            settings,
            path=path,
            steps=steps,
            rows_per_second=rows_per_second,
            limit=limit,
            say=lambda line: progress_console.print(line, markup=False),
        )
    print_report(report, "Nodes", as_json=as_json)
    if not report["equal"] or report["failed"]:
        raise typer.Exit(1)


def experiment_scaling(
    path: PathOption,
    limit: Annotated[int, typer.Option(min=1_000, help="Rows of the log that are learned.")] = 20_000,
    contents: Annotated[int, typer.Option(min=100, help="Of which feeds are ranked.")] = 20_000,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a batch and a feed; simulate more learners, shards and replicas with a core each."""
    from foryou.experiment_scaling_command import run_experiment_scaling
    from simulations.kuairand import KuaiRandFormatError

    settings = settings_from(config)
    with refusing(KuaiRandFormatError), progress_console.status("measuring"):
        report = run_experiment_scaling(settings, path=path, limit=limit, contents=contents)
    print_report(report, "One more of each", as_json=as_json)
