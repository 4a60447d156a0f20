"""The commands `train` and `tune`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from foryou.cli_options import (
    ConfigOption,
    JsonOption,
    MappingOption,
    StateOption,
    refusing,
    settings_from,
)
from foryou.console import print_report, progress_console


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command("train")(train)
    app.command("tune")(tune)


def train(
    archive: Annotated[str | None, typer.Option(help="Folder or URI; default archive.uri.")] = None,
    epochs: Annotated[int, typer.Option(help="Passes over the archive.")] = 1,
    batch_rows: Annotated[int, typer.Option(help="Events in one mini-batch.")] = 256,
    initial: Annotated[
        Literal["none", "factorization", "deepwalk"],
        typer.Option(help="First rows of people and contents, before any gradient."),
    ] = "none",
    snapshots: Annotated[
        str | None, typer.Option(help="Where to write; default where `foryou up` begins from.")
    ] = None,
    seed: Annotated[int, typer.Option()] = 0,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train on the archive, and write a snapshot from which the stream goes on."""
    from foryou.train_command import TrainError, run_train_command

    with refusing(TrainError), progress_console.status("reading the archive") as status:
        answer = run_train_command(
            settings_from(config, state=state),
            archive=archive,
            epochs=epochs,
            batch_rows=batch_rows,
            initial=initial,
            snapshots=snapshots,
            seed=seed,
            say=status.update,
        )
    print_report(answer, "Training", as_json=as_json)


def tune(
    dataset: Annotated[str, typer.Argument(help="kuairand, movielens, file, recording or archive")],
    path: Annotated[str, typer.Option("--path", help="As for replay.")],
    trials: Annotated[int, typer.Option(help="Settings that are tried.")] = 12,
    at_once: Annotated[int, typer.Option(help="Trials that run at the same time.")] = 1,
    limit: Annotated[int | None, typer.Option(help="Only the first so many rows.")] = None,
    mapping: MappingOption = None,
    report: Annotated[Path, typer.Option(help="Folder for the table and the settings.")] = Path(
        "tune-report"
    ),
    seed: Annotated[int, typer.Option()] = 0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Search learning rates, dimensions and widths on a replay (Ray Tune, ASHA)."""
    from foryou.tune_command import TuneError, run_tune_command

    with refusing(TuneError), progress_console.status("reading the log") as status:
        answer = run_tune_command(
            settings_from(config),
            dataset=dataset,
            path=path,
            report=report,
            trials=trials,
            at_once=at_once,
            limit=limit,
            mapping=mapping,
            seed=seed,
            say=status.update,
        )
    print_report(answer, f"Search on {dataset}", as_json=as_json)
