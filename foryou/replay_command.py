"""`foryou replay`: a log through the system or in one process, and what the model said of each row before."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from threadpoolctl import threadpool_limits

from foryou.borrowed_services import passing_plan
from foryou.console import progress_console
from foryou.datasets_command import DatasetError, moment_of
from foryou.settings import SystemSettings
from simulations.datasets import open_log
from simulations.replay_log import LogFormatError, ReplayLog


class ReplayError(ValueError):
    """The replay cannot be run as asked; the text says why."""


def run_replay_command(
    settings: SystemSettings,
    *,
    dataset: str,
    path: Path | str,
    speed: str,
    in_process: bool,
    limit: int | None = None,
    mapping: str | None = None,
    start: str | None = None,
    end: str | None = None,
    candidate: SystemSettings | None = None,
) -> dict[str, Any]:
    """Replay and report rows, examples, auc_click, auc_long_view, rows_per_s. Raises ReplayError.

    start, end: of the stretch of the log that is replayed, ISO 8601 or epoch seconds. A mini-batch is one
    window of the log, so `batching.max_rows` decides how large windows are. candidate: other settings, of
    which `training` and `joiner` are tried on the same stretch and the same windows; then the report is that
    of `compare_in_process`.
    """
    factor = _speed_factor(speed)
    if limit is not None and limit < 1:
        raise ReplayError("--limit is at least 1")
    if in_process and factor is not None:
        raise ReplayError("--speed paces the whole system: in one process a replay is as fast as it goes")
    if candidate is not None and not in_process:
        raise ReplayError("--candidate compares in one process: add --in-process")
    try:
        log = open_log(
            dataset,
            path,
            num_partitions=settings.num_partitions,
            window_rows=settings.batching.max_rows,
            max_rows=limit,
            mapping=mapping,
            start=None if start is None else moment_of(start),
            end=None if end is None else moment_of(end),
        )
    except (LogFormatError, DatasetError) as error:
        raise ReplayError(str(error)) from error
    if not any(window.num_rows for window in log.windows()):
        raise ReplayError(f"{path} holds no row" + _between(start, end))
    if candidate is not None:
        with _progress(2 * len(log)) as advance:
            return _compare(settings, candidate, log, advance)
    with _progress(len(log)) as advance:
        if in_process:
            return _replay_in_process(settings, log, advance)
        return _replay_through_system(settings, log, factor, advance)


def _between(start: str | None, end: str | None) -> str:
    ends = [f"from {start}"] if start is not None else []
    ends += [f"before {end}"] if end is not None else []
    return " " + " and ".join(ends) if ends else ""


def _speed_factor(speed: str) -> float | None:
    """None stands for as fast as it goes."""
    if speed == "max":
        return None
    try:
        factor = float(speed)
    except ValueError:
        factor = 0.0
    if factor <= 0:
        raise ReplayError(f"--speed {speed!r}: a positive number, or max")
    return factor


def _replay_in_process(
    settings: SystemSettings, log: ReplayLog, advance: Callable[[int], None]
) -> dict[str, Any]:
    from simulations.in_process_replay import replay_in_process

    with threadpool_limits(1):  # threads of a matrix product this small only wait for each other
        report = replay_in_process(log, training=settings.training, joiner=settings.joiner, advance=advance)
    return report.as_dict()


def _compare(
    settings: SystemSettings, candidate: SystemSettings, log: ReplayLog, advance: Callable[[int], None]
) -> dict[str, Any]:
    from simulations.in_process import InProcessSettings
    from simulations.in_process_replay import compare_in_process

    logged, other = (
        InProcessSettings(joiner=each.joiner, training=each.training) for each in (settings, candidate)
    )
    with threadpool_limits(1):
        return compare_in_process(log, logged=logged, candidate=other, advance=advance)


def _replay_through_system(
    settings: SystemSettings, log: ReplayLog, factor: float | None, advance: Callable[[int], None]
) -> dict[str, Any]:
    with passing_plan(settings, "replay", replay=True) as plan:
        from simulations.system_replay import replay_through_system

        return replay_through_system(plan, log, settings.streams, factor, advance).as_dict()


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    with Progress(
        TextColumn("rows"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=progress_console,
        transient=True,
    ) as progress:
        task = progress.add_task("rows", total=total)
        started = time.monotonic()
        yield lambda rows: progress.update(task, advance=rows)
        progress.update(task, description=f"{time.monotonic() - started:.0f} s")
