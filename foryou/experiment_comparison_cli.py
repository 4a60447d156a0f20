"""The commands `experiment collisions` and `experiment sync-interval`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foryou.cli_options import ConfigOption, JsonOption, refusing, settings_from
from foryou.console import print_report, progress_console

KuaiRandOption = Annotated[
    Path | None, typer.Option("--path", help="KuaiRand's folder; without it only simulated worlds.")
]
PresetOption = Annotated[str, typer.Option(help="Simulated world, or none.")]
SeedsOption = Annotated[int, typer.Option(help="How many, from 0 on.")]
LimitOption = Annotated[int | None, typer.Option(help="Only the first so many rows of KuaiRand.")]
PeopleOption = Annotated[int, typer.Option(help="In the simulated world.")]
HoursOption = Annotated[float | None, typer.Option(help="Of the simulated world.")]
RowsOption = Annotated[int, typer.Option(help="Of the log in one mini-batch.")]
ReportOption = Annotated[Path, typer.Option(help="Folder for plots and tables.")]
CacheOption = Annotated[
    Path | None, typer.Option(help="Keep joined streams here, for the next command of the same version.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to `foryou experiment`."""
    app.command("collisions")(collisions)
    app.command("sync-interval")(sync_interval)


def collisions(
    path: KuaiRandOption = None,
    preset: PresetOption = "drift",
    seeds: SeedsOption = 5,
    limit: LimitOption = None,
    people: PeopleOption = 60,
    hours: HoursOption = None,
    window_rows: RowsOption = 128,
    report: ReportOption = Path("experiment-report"),
    cache: CacheOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the collisionless table with hashed ones of several sizes (Monolith, Fig. 7)."""
    _run("collisions", path, preset, seeds, limit, people, hours, window_rows, report, cache, config, as_json)


def sync_interval(
    path: KuaiRandOption = None,
    preset: PresetOption = "drift",
    seeds: SeedsOption = 5,
    limit: LimitOption = None,
    people: PeopleOption = 60,
    hours: HoursOption = None,
    window_rows: RowsOption = 128,
    report: ReportOption = Path("experiment-report"),
    cache: CacheOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare syncs at once with syncs every half hour, hour, five hours and day (Monolith, Table 2)."""
    _run(
        "sync-interval",
        path,
        preset,
        seeds,
        limit,
        people,
        hours,
        window_rows,
        report,
        cache,
        config,
        as_json,
    )


def _run(
    experiment: str,
    path: Path | None,
    preset: str,
    seeds: int,
    limit: int | None,
    people: int,
    hours: float | None,
    window_rows: int,
    report: Path,
    cache: Path | None,
    config: Path | None,
    as_json: bool,
) -> None:
    from foryou.experiment_comparison_command import ExperimentError, run_comparison_command

    with refusing(ExperimentError), progress_console.status(experiment) as status:
        answer = run_comparison_command(
            settings_from(config),
            experiment,  # type: ignore[arg-type]
            report=report,
            path=path,
            preset=None if preset == "none" else preset,
            seeds=seeds,
            limit=limit,
            people=people,
            hours=hours,
            window_rows=window_rows,
            cache=cache,
            say=status.update,
        )
    print_report(answer, experiment, as_json=as_json)
