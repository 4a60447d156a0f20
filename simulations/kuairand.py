"""Replays KuaiRand (Gao et al., CIKM 2022): real exposures of short videos, with watch time.

The folder has the official layout (of Pure, 1K or 27K), plain or gzipped:

    log_standard*.csv            one row an exposure; all such files are read together
    video_features_basic*.csv    author, music and tags of each video
    user_features*.csv           profiles; may be missing

Each row becomes one impression of one content and the events that the row tells of: `view` where it was
clicked, `skip` where not, with the watched seconds and the log's own long_view; then likes, follows,
comments, shares, hides. Nothing that the data set counted over its whole period is used: that would leak the
future.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from messages.feed import FeedMessage, RecordKind
from messages.identifiers import DEFAULT_NUM_PARTITIONS, partition_of
from messages.impressions import Impression, ModelVersion, RequestContext
from simulations.kuairand_people import KuaiRandPeople
from simulations.kuairand_videos import MAX_SECONDS, VIDEO_COLUMNS, KuaiRandVideos

logger = logging.getLogger(__name__)

LOG_PATTERN = "log_standard"
VIDEO_PATTERN = "video_features_basic"
PEOPLE_PATTERN = "user_features"
LOG_COLUMNS = (
    "user_id", "video_id", "time_ms", "is_click", "is_like", "is_follow", "is_comment", "is_forward",
    "is_hate", "long_view", "play_time_ms", "duration_ms", "tab",
)  # fmt: skip
ENGAGEMENTS = (
    ("is_like", "like"),
    ("is_follow", "follow"),
    ("is_comment", "comment"),
    ("is_forward", "share"),
    ("is_hate", "hide"),
)
LOGGED_MODEL = ModelVersion("kuairand", "log", 0)

_VARIANT = re.compile(r"_(pure|1k|27k)[_.]")


class KuaiRandFormatError(ValueError):
    """The folder does not hold KuaiRand's files, or one of them lacks a column."""


@dataclass(frozen=True, slots=True)
class ReplayWindow:
    """Consecutive rows of the log: one message for every partition, all with the time of the last row.

    So the watermarks of all partitions move together, also of those in which nothing happened.
    """

    num_rows: int
    last_time: float
    messages: list[tuple[int, FeedMessage]]


class KuaiRandLog:
    """The log in memory, sorted by time; rows that are equal in all columns are kept once."""

    def __init__(
        self,
        folder: Path,
        *,
        num_partitions: int = DEFAULT_NUM_PARTITIONS,
        window_rows: int = 256,
        max_rows: int | None = None,
    ) -> None:
        """Raises KuaiRandFormatError. max_rows: keep only the first so many rows."""
        if window_rows < 1:
            raise ValueError("a window holds at least one row")
        _check_one_variant(folder)
        read = _read_files(folder, LOG_PATTERN, LOG_COLUMNS, every_column=True)
        rows = read.drop_duplicates().sort_values("time_ms", kind="stable", ignore_index=True)
        self.num_duplicates = len(read) - len(rows)
        self._rows = rows.loc[:, list(LOG_COLUMNS)].iloc[:max_rows]
        self._contents = KuaiRandVideos(_read_files(folder, VIDEO_PATTERN, VIDEO_COLUMNS, every_column=False))
        self._people = KuaiRandPeople(_read_people(folder))
        self._num_partitions = num_partitions
        self._window_rows = window_rows

    def __len__(self) -> int:
        """Rows that are replayed."""
        return len(self._rows)

    def windows(self) -> Iterator[ReplayWindow]:
        """Yield the log in order; a window has `window_rows` rows and all that share its last instant."""
        times = self._rows["time_ms"].to_numpy()
        start = 0
        while start < len(times):
            last = times[min(start + self._window_rows, len(times)) - 1]
            end = int(np.searchsorted(times, last, side="right"))
            yield self._window(start, end)
            start = end

    def _window(self, start: int, end: int) -> ReplayWindow:
        """Turn rows [start, end) into messages.

        What one person was shown in the same instant is recorded before what came of it: a row's features
        must not know the outcome of a row that is not older.
        """
        records: list[list[tuple[RecordKind, Any]]] = [[] for _ in range(self._num_partitions)]
        outcomes: list[list[tuple[RecordKind, Any]]] = [[] for _ in range(self._num_partitions)]
        instant = -1
        for number, row in enumerate(self._rows.iloc[start:end].itertuples(index=False), start):
            if row.time_ms != instant:
                _move(outcomes, records)
                instant = row.time_ms
            partition = partition_of(str(row.user_id), self._num_partitions)
            impression = self._impression(row, number)
            records[partition].append(("impression", impression))
            outcomes[partition].extend(("event", event) for event in self._events(row, impression))
        _move(outcomes, records)
        last_time = instant / 1000
        return ReplayWindow(
            end - start,
            last_time,
            [(partition, FeedMessage(part, last_time)) for partition, part in enumerate(records)],
        )

    def _impression(self, row: Any, number: int) -> dict[str, Any]:
        return Impression(
            request_id=f"kuairand-{number}",
            user_id=str(row.user_id),
            timestamp=row.time_ms / 1000,
            model=LOGGED_MODEL,
            arm="log",
            context=RequestContext(surface=str(row.tab)),
            contents=self._contents.of(row.video_id, row.duration_ms, row.time_ms / 1000),
            propensities=np.full(1, np.nan, dtype=np.float32),
            scores=np.full(1, np.nan, dtype=np.float32),
            sources=["log"],
            features=None,
            profile=self._people.of(row.user_id),
        ).to_wire()

    def _events(self, row: Any, impression: dict[str, Any]) -> Iterator[dict[str, Any]]:
        request_id = impression["request_id"]
        about = {
            "timestamp": impression["timestamp"],
            "user_id": impression["user_id"],
            "content_id": str(row.video_id),
            "request_id": request_id,
        }
        yield {
            "event_type": "view" if row.is_click else "skip",
            "event_id": f"{request_id}-terminal",
            **about,
            "watch_duration": min(max(row.play_time_ms / 1000, 0.0), MAX_SECONDS),
            "long_view": bool(row.long_view),
        }
        for column, event_type in ENGAGEMENTS:
            if getattr(row, column):
                event = {"event_type": event_type, "event_id": f"{request_id}-{event_type}", **about}
                if event_type == "follow":
                    creator_id = self._contents.creator_id(row.video_id)
                    if not creator_id:
                        continue  # the video has no features: whom was followed is not known
                    event["creator_id"] = creator_id
                yield event


def _move(source: list[list[tuple[RecordKind, Any]]], target: list[list[tuple[RecordKind, Any]]]) -> None:
    for waiting, records in zip(source, target, strict=True):
        if waiting:
            records.extend(waiting)
            waiting.clear()


def _check_one_variant(folder: Path) -> None:
    """Users and videos of Pure, 1K and 27K are numbered apart. Raises KuaiRandFormatError."""
    found = {
        variant[1]
        for path in folder.glob("*.csv*")
        if path.name.startswith((LOG_PATTERN, VIDEO_PATTERN, PEOPLE_PATTERN))
        and (variant := _VARIANT.search(path.name))
    }
    if len(found) > 1:
        raise KuaiRandFormatError(f"{folder} holds files of several variants: {', '.join(sorted(found))}")


def _read_people(folder: Path) -> pd.DataFrame | None:
    if not any(folder.glob(f"{PEOPLE_PATTERN}*.csv*")):
        return None
    return _read_files(folder, PEOPLE_PATTERN, ("user_id",), every_column=True)


def _read_files(folder: Path, pattern: str, columns: tuple[str, ...], *, every_column: bool) -> pd.DataFrame:
    """Read and stack the files whose name starts with `pattern`. Raises KuaiRandFormatError."""
    paths = sorted([*folder.glob(f"{pattern}*.csv"), *folder.glob(f"{pattern}*.csv.gz")])
    if not paths:
        raise KuaiRandFormatError(f"{folder} holds no {pattern}*.csv or {pattern}*.csv.gz")
    frames = []
    for path in paths:
        names = list(pd.read_csv(path, nrows=0).columns)
        missing = [column for column in columns if column not in names]
        if missing:
            raise KuaiRandFormatError(f"{path} lacks the columns {', '.join(missing)}")
        frames.append(pd.read_csv(path, usecols=None if every_column else list(columns)))
        logger.info("read %d rows of %s", len(frames[-1]), path)
    return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)
