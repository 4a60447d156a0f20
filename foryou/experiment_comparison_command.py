"""`foryou experiment collisions` and `sync-interval`: Monolith's Fig. 7 and Table 2 on our own parts."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

from foryou.settings import SystemSettings
from simulations.datasets import open_log
from simulations.experiments.collisions import compare_collisions
from simulations.experiments.comparison_plot import save_comparison_plot
from simulations.experiments.example_sources import ExampleSource, Say, log_source, world_source
from simulations.experiments.sync_interval import compare_sync_intervals
from simulations.presets import PRESETS
from simulations.replay_log import LogFormatError

ExperimentName = Literal["collisions", "sync-interval"]

_TITLES = {
    "collisions": "What collisions cost",
    "sync-interval": "What waiting for a sync costs",
}
_LABELS = {
    "collisions": "rows of the hashed table for each id that occurs",
    "sync-interval": "time between two syncs",
}
_COMPARE = {"collisions": compare_collisions, "sync-interval": compare_sync_intervals}


class ExperimentError(ValueError):
    """The experiment cannot be run as asked; the text says why."""


def run_comparison_command(
    settings: SystemSettings,
    experiment: ExperimentName,
    *,
    report: Path,
    path: Path | None = None,
    preset: str | None = "drift",
    seeds: int = 5,
    first_seed: int = 0,
    limit: int | None = None,
    people: int = 60,
    hours: float | None = None,
    window_rows: int = 128,
    cache: Path | None = None,
    say: Say = lambda _: None,
) -> dict[str, Any]:
    """Compare on KuaiRand (path: its folder) and on simulated worlds (preset), and return a flat report.

    Writes a plot for each data set, and the tables in Markdown, to `report`. cache: keeps the joined
    streams between commands of one version; without it they are dropped at the end. hours: of the world,
    all of it where left out. Raises ExperimentError.
    """
    if seeds < 1:
        raise ExperimentError("--seeds: at least one (five for intervals worth reading)")
    if preset is not None and preset not in PRESETS:
        raise ExperimentError(f"--preset {preset!r}: known are {', '.join(PRESETS)}, or none")
    if path is None and preset is None:
        raise ExperimentError("nothing to learn from: give --path to KuaiRand, or a --preset")
    started = time.monotonic()
    answer: dict[str, Any] = {"experiment": experiment, "seeds": seeds, "window_rows": window_rows}
    tables = []
    with _folder(cache) as folder:
        for source in _sources(settings, path, preset, limit, people, hours, window_rows, folder, say):
            comparison = _COMPARE[experiment](
                source, settings.training, seeds=range(first_seed, first_seed + seeds), say=say
            )
            title = f"{_TITLES[experiment]}: {source.title}"
            answer |= comparison.report(source.name)
            answer[f"{source.name}_plot"] = str(
                save_comparison_plot(
                    report / f"{experiment}-{source.name}.png", comparison, title, _LABELS[experiment]
                )
            )
            tables.append(comparison.table(title))
    table = report / f"{experiment}.md"
    table.write_text("\n".join(tables))
    return answer | {"table": str(table), "seconds": round(time.monotonic() - started, 1)}


def _sources(
    settings: SystemSettings,
    path: Path | None,
    preset: str | None,
    limit: int | None,
    people: int,
    hours: float | None,
    window_rows: int,
    folder: Path,
    say: Callable[[str], None],
) -> Iterator[ExampleSource]:
    if path is not None:
        partitions = settings.num_partitions
        try:
            log = open_log(
                "kuairand", path, num_partitions=partitions, window_rows=window_rows, max_rows=limit
            )
        except LogFormatError as error:
            raise ExperimentError(str(error)) from error
        joiner = settings.joiner.model_copy(update={"num_partitions": partitions})
        yield log_source(log, "kuairand", joiner, folder, say)
    if preset is not None:
        yield world_source(
            preset, people=people, hours=hours, window_rows=window_rows, folder=folder, say=say
        )


@contextlib.contextmanager
def _folder(cache: Path | None) -> Iterator[Path]:
    if cache is not None:
        cache.mkdir(parents=True, exist_ok=True)
        yield cache
        return
    with tempfile.TemporaryDirectory(prefix="foryou-experiment-") as folder:
        yield Path(folder)
