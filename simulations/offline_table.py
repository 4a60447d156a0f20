"""Any log as a table of interactions, and how a table is split into what is learned and what is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from messages.content import ContentColumns, ContentFacts
from messages.events import ContentMetadata
from messages.impressions import Impression
from simulations.hashed_draws import uniform_draws
from simulations.interaction_table import InteractionTable, TableLog, table_of
from simulations.replay_log import ReplayLog

_FOLDS = np.array([501], dtype=np.uint64)


def table_of_log(name: str, log: ReplayLog) -> InteractionTable:
    """Read impressions and events of a log; a row for every terminal event that names its request.

    Tags travel hashed, so they come out as the hexadecimal of their key.
    """
    if isinstance(log, TableLog):
        return log.table
    contents: dict[str, ContentFacts] = {}
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for window in log.windows():
        for _, message in window.messages:
            for kind, record in message.records:
                if kind == "impression":
                    _read_contents(Impression.from_wire(record).contents, contents)
                elif record.get("request_id") and record.get("content_id"):
                    _read_event(record, rows)
    frame = pd.DataFrame([row for row in rows.values() if "engaged" in row])
    if not len(frame):
        raise ValueError("the log holds no view and no skip")
    return table_of(name, frame, contents, drop_duplicates=False)


def _read_event(event: dict[str, Any], rows: dict[tuple[str, str], dict[str, Any]]) -> None:
    row = rows.setdefault(
        (event["request_id"], event["content_id"]),
        {"user_id": event["user_id"], "content_id": event["content_id"], "liked": False},
    )
    kind = event["event_type"]
    if kind in ("view", "complete_view", "skip"):
        row["time"] = float(event["timestamp"])
        row["engaged"] = kind != "skip"
        row["long_view"] = bool(event.get("long_view", kind == "complete_view"))
        row["watch_seconds"] = float(event.get("watch_duration") or 0.0)
    elif kind == "like":
        row["liked"] = True


def _read_contents(shown: ContentColumns, contents: dict[str, ContentFacts]) -> None:
    tags = shown.tags
    for place, content_id in enumerate(shown.content_ids):
        if content_id in contents:
            continue
        keys = tags.values[tags.offsets[place] : tags.offsets[place + 1]]
        duration = float(shown.durations[place])
        contents[content_id] = ContentFacts(
            content_id,
            shown.creator_ids[place],
            float(shown.upload_times[place]),
            ContentMetadata(
                category=shown.categories[place],
                tags=tuple(f"{key:x}" for key in keys.tolist())[:32],
                duration=None if np.isnan(duration) else duration,
            ),
        )


def temporal_split(
    table: InteractionTable, train_share: float = 0.8
) -> tuple[InteractionTable, InteractionTable]:
    """Return the earlier rows and the later ones; rows of one instant stay together, among the later."""
    times = table.rows["time"].to_numpy()
    cut = min(int(len(times) * train_share), len(times) - 1)
    start = int(np.searchsorted(times, times[cut], side="left"))
    return table.take(slice(0, start)), table.take(slice(start, None))


def fold_splits(
    table: InteractionTable, num_folds: int, seed: int = 0
) -> Iterator[tuple[InteractionTable, InteractionTable]]:
    """Yield what is left and what is held out, once for each fold; a row's fold is a hash of its number.

    Rows later than a held-out one are learned from: folds say how much is noise, time what can be foretold.
    """
    if num_folds < 2:
        raise ValueError("at least two folds")
    draws = uniform_draws(seed, _FOLDS, np.arange(len(table), dtype=np.uint64))[0]
    folds = (draws * num_folds).astype(np.int64)
    for fold in range(num_folds):
        yield table.take(np.flatnonzero(folds != fold)), table.take(np.flatnonzero(folds == fold))
