"""`foryou datasets`: which logs can be replayed, where they are to be had, and whether files are in order."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from simulations.datasets import SOURCES, open_log
from simulations.replay_log import LogFormatError


class DatasetError(ValueError):
    """The files are not what they should be, or a time cannot be read; the text says why."""


def run_datasets_command(
    dataset: str | None = None, path: Path | None = None, *, mapping: str | None = None
) -> dict[str, Any]:
    """Without a path: a line per data set. With one: check the files by reading them whole, and report rows,
    first and last time, and windows. Raises DatasetError."""
    if path is None:
        chosen = [source for source in SOURCES.values() if dataset in (None, source.name)]
        return {source.name: source.description() for source in chosen} or _unknown(dataset)
    if dataset is None:
        raise DatasetError("which data set are the files of? name it before --path")
    if dataset not in SOURCES:
        _unknown(dataset)
    missing = SOURCES[dataset].missing(path) if SOURCES[dataset].files else []
    if missing:
        raise DatasetError(f"{path} lacks {', '.join(missing)}; {SOURCES[dataset].url}")
    try:
        log = open_log(dataset, path, mapping=mapping)
        times = [window.last_time for window in log.windows()]
    except LogFormatError as error:
        raise DatasetError(str(error)) from error
    if not times:
        raise DatasetError(f"{path} holds no row")
    return {
        "dataset": dataset,
        "ok": True,
        "rows": len(log),
        "windows": len(times),
        "first": _iso(times[0]),
        "last": _iso(times[-1]),
        "licence": SOURCES[dataset].licence,
    }


def moment_of(text: str) -> float:
    """Read a moment of `--from` or `--to`: epoch seconds or milliseconds, or ISO 8601 (UTC where unsaid).

    Raises DatasetError.
    """
    try:
        value = float(text)
        return value / 1_000 if value >= 1e11 else value
    except ValueError:
        pass
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise DatasetError(f"{text!r}: a time like 2022-04-25T12:00 or epoch seconds") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()


def _iso(time: float) -> str:
    return dt.datetime.fromtimestamp(time, dt.UTC).isoformat(timespec="seconds")


def _unknown(dataset: str | None) -> dict[str, Any]:
    raise DatasetError(f"dataset {dataset!r}: known are {', '.join(SOURCES)}")
