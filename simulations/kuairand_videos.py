"""What KuaiRand's file of basic video features says of each video, as the facts of a content."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from messages.content import ContentColumns, ContentFacts
from messages.events import ContentMetadata
from messages.identifiers import MISSING_KEY

VIDEO_COLUMNS = ("video_id", "author_id", "upload_dt", "music_id", "tag")
MAX_SECONDS = 86_400.0
"""The longest duration that an event or a content may name."""

_TIME_ZONE = "Asia/Shanghai"
"""Upload dates are days of Kuaishou's home."""


class KuaiRandVideos:
    """Facts of the videos, built when first shown. videos: a table with VIDEO_COLUMNS."""

    def __init__(self, videos: pd.DataFrame) -> None:
        uploaded = pd.to_datetime(videos["upload_dt"], errors="coerce").dt.tz_localize(_TIME_ZONE)
        videos = videos.assign(upload_time=(uploaded - pd.Timestamp(0, tz="UTC")).dt.total_seconds())
        self._videos = {row.video_id: row for row in videos.itertuples(index=False)}
        self._columns: dict[tuple[int, int], ContentColumns] = {}
        self._shown: set[int] = set()
        self._uses: Counter[int] = Counter()
        """How many of the videos shown so far have an audio, by its key: what a catalogue would count."""

    def creator_id(self, video_id: int) -> str:
        video = self._videos.get(video_id)
        return "" if video is None else _name(video.author_id)

    def of(self, video_id: int, duration_ms: int, now: float) -> ContentColumns:
        """Return the columns of one content; a duration of 0 milliseconds means that it is not known.

        A content of which the files do not say when it was uploaded is as old as its first showing.
        """
        columns = self._columns.get((video_id, duration_ms))
        if columns is None:
            columns = ContentColumns.of([self._facts(video_id, duration_ms, now)])
            self._columns[video_id, duration_ms] = columns
        audio = int(columns.audio_keys[0])
        if video_id not in self._shown:
            self._shown.add(video_id)
            self._uses[audio] += 1
        uses = 0 if audio == MISSING_KEY else self._uses[audio]
        return replace(columns, audio_uses=np.array([uses], dtype=np.int64))

    def _facts(self, video_id: int, duration_ms: int, now: float) -> ContentFacts:
        duration = min(duration_ms / 1000, MAX_SECONDS) if duration_ms > 0 else None
        video = self._videos.get(video_id)
        if video is None:
            return ContentFacts(str(video_id), "", now, ContentMetadata(duration=duration))
        tags = tuple(tag for tag in str(video.tag).split(",") if tag) if pd.notna(video.tag) else ()
        return ContentFacts(
            content_id=str(video_id),
            creator_id=_name(video.author_id),
            upload_timestamp=now if pd.isna(video.upload_time) else float(video.upload_time),
            metadata=ContentMetadata(
                category=tags[0] if tags else "", tags=tags, duration=duration, audio_id=_name(video.music_id)
            ),
        )


def _name(number: Any) -> str:
    """Return an id of the data set as a name; '' where it is missing (NaN, or 0 for "no such music")."""
    return "" if pd.isna(number) or number == 0 else str(int(number))
