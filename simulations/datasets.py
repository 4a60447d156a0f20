"""Logs to replay and evaluate: where each is to be had, under which licence, and how it is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from actors.archive_files import ArchiveError, ArchiveFiles
from messages.identifiers import DEFAULT_NUM_PARTITIONS
from simulations.archived_log import ArchivedLog
from simulations.interaction_table import TableLog
from simulations.kuairand import KuaiRandFormatError, KuaiRandLog
from simulations.mapped_log import parse_mapping, read_mapped
from simulations.movielens import read_movielens
from simulations.recording import RecordedLog, RecordingFormatError
from simulations.replay_log import LogFormatError, ReplayLog, TimeStretch


@dataclass(frozen=True, slots=True)
class DatasetSource:
    """files: alternatives of names or patterns that a folder must hold, each alternative whole."""

    name: str
    title: str
    url: str
    licence: str
    files: tuple[tuple[str, ...], ...]
    note: str

    def description(self) -> str:
        where = f"{self.url} " if self.url else ""
        return f"{self.title}. {where}Licence: {self.licence}. {self.note}"

    def missing(self, folder: Path) -> list[str]:
        """Return what the best alternative lacks, empty where a folder holds one whole."""
        lacking = [[name for name in names if not any(folder.glob(name))] for names in self.files]
        return min(lacking, key=len, default=[])


SOURCES: dict[str, DatasetSource] = {
    source.name: source
    for source in (
        DatasetSource(
            "kuairand",
            "KuaiRand (Pure, 1K or 27K), exposures of short videos",
            "https://kuairand.com",
            "CC BY-SA 4.0",
            (("log_standard*.csv*", "video_features_basic*.csv*"),),
            "real exposures with watch time; the official files, plain or gzipped, one variant a folder",
        ),
        DatasetSource(
            "movielens",
            "MovieLens 100k or latest-small, ratings of films",
            "https://grouplens.org/datasets/movielens/",
            "GroupLens usage licence: research, no redistribution without permission, no commercial use",
            (("u.data", "u.item"), ("ratings.csv", "movies.csv")),
            "a rating is one showing, viewed from 4 stars on",
        ),
        DatasetSource(
            "file",
            "a log of your own: Parquet, CSV or NDJSON",
            "",
            "your own",
            (),
            "with --mapping user=...,content=...,time=...,engaged=...",
        ),
        DatasetSource(
            "recording",
            "a recorded simulation",
            "",
            "your own",
            (),
            "made by foryou simulate PRESET --record FILE",
        ),
        DatasetSource(
            "archive",
            "what a system archived",
            "",
            "your own",
            (),
            "the folder or URI that archive.uri named (s3://bucket/folder)",
        ),
    )
}


def open_log(
    dataset: str,
    path: Path | str,
    *,
    num_partitions: int = DEFAULT_NUM_PARTITIONS,
    window_rows: int = 256,
    max_rows: int | None = None,
    mapping: str | None = None,
    start: float | None = None,
    end: float | None = None,
) -> ReplayLog:
    """Open a log by the name of its kind; start, end: epoch seconds of the stretch. Raises LogFormatError.

    path: of an archive it may be a URI.
    """
    log: ReplayLog
    if mapping is not None and dataset != "file":
        raise LogFormatError(f"--mapping is for dataset file; {dataset} says itself what its columns are")
    if dataset == "archive":
        log = _archive(str(path), num_partitions, window_rows, max_rows)
        return log if start is None and end is None else TimeStretch(log, start, end)
    path = Path(path)
    sizes = {"num_partitions": num_partitions, "window_rows": window_rows, "max_rows": max_rows}
    if dataset == "kuairand":
        try:
            log = KuaiRandLog(path, **sizes)  # type: ignore[arg-type]
        except KuaiRandFormatError as error:
            raise LogFormatError(str(error)) from error
    elif dataset == "movielens":
        log = TableLog(read_movielens(path), **sizes)  # type: ignore[arg-type]
    elif dataset == "file":
        if mapping is None:
            raise LogFormatError("dataset file needs --mapping user=...,content=...,time=...,engaged=...")
        log = TableLog(read_mapped(path, parse_mapping(mapping)), **sizes)  # type: ignore[arg-type]
    elif dataset == "recording":
        log = _recording(path, num_partitions, window_rows, max_rows)
    else:
        raise LogFormatError(f"dataset {dataset!r}: known are {', '.join(SOURCES)}")
    return log if start is None and end is None else TimeStretch(log, start, end)


def _archive(root: str, num_partitions: int, window_rows: int, max_rows: int | None) -> ArchivedLog:
    if max_rows is not None:
        raise LogFormatError("an archive is replayed whole, or by --from and --to")
    try:
        return ArchivedLog(ArchiveFiles(root), num_partitions=num_partitions, window_rows=window_rows)
    except ArchiveError as error:
        raise LogFormatError(str(error)) from error


def _recording(path: Path, num_partitions: int, window_rows: int, max_rows: int | None) -> RecordedLog:
    if max_rows is not None:
        raise LogFormatError("a recording is replayed whole, or by --from and --to")
    try:
        log = RecordedLog(path, window_rows=window_rows)
    except (RecordingFormatError, OSError) as error:
        raise LogFormatError(str(error)) from error
    if log.num_partitions != num_partitions:
        raise LogFormatError(f"{path} has {log.num_partitions} partitions, the settings {num_partitions}")
    return log
