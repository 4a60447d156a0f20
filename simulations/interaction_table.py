"""Interactions of people with contents as one table, whatever file they came from, and the table as a log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from messages.content import ContentColumns, ContentFacts
from messages.feed import FeedMessage, RecordKind
from messages.identifiers import DEFAULT_NUM_PARTITIONS, partition_of
from messages.impressions import Impression, ModelVersion, RequestContext
from simulations.kuairand import ReplayWindow

COLUMNS = ("user_id", "content_id", "time", "engaged", "long_view", "liked", "watch_seconds")


@dataclass(frozen=True, slots=True)
class InteractionTable:
    """rows: one an exposure, sorted by time, with COLUMNS: two names, epoch seconds, three bools, seconds
    (0 where not known). contents: the facts of every content that rows name."""

    name: str
    rows: pd.DataFrame
    contents: Mapping[str, ContentFacts]

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, chosen: Any) -> InteractionTable:
        """Return the rows of a bool mask or a slice; the contents stay."""
        return InteractionTable(self.name, self.rows.iloc[chosen].reset_index(drop=True), self.contents)


class TableLog:
    """A table as impressions of one content each, and the events that follow."""

    def __init__(
        self,
        table: InteractionTable,
        *,
        num_partitions: int = DEFAULT_NUM_PARTITIONS,
        window_rows: int = 256,
        max_rows: int | None = None,
    ) -> None:
        if window_rows < 1:
            raise ValueError("a window holds at least one row")
        self.table = table if max_rows is None else table.take(slice(max_rows))
        self._num_partitions = num_partitions
        self._window_rows = window_rows
        self._columns: dict[str, ContentColumns] = {}
        self._model = ModelVersion(table.name, "log", 0)

    def __len__(self) -> int:
        return len(self.table)

    def windows(self) -> Iterator[ReplayWindow]:
        """Yield the table in order; a window has `window_rows` rows and all that share its last instant."""
        times = self.table.rows["time"].to_numpy()
        start = 0
        while start < len(times):
            last = times[min(start + self._window_rows, len(times)) - 1]
            end = int(np.searchsorted(times, last, side="right"))
            yield self._window(start, end, float(last))
            start = end

    def _window(self, start: int, end: int, last_time: float) -> ReplayWindow:
        """Record what one instant showed before what came of it: no row's features know an outcome that is
        not older."""
        records: list[list[tuple[RecordKind, Any]]] = [[] for _ in range(self._num_partitions)]
        rows = list(self.table.rows.iloc[start:end].itertuples(index=False))
        first = 0
        while first < len(rows):
            last = first
            while last < len(rows) and rows[last].time == rows[first].time:
                last += 1
            numbered = list(enumerate(rows[first:last], start + first))
            for number, row in numbered:
                records[self._partition(row)].append(("impression", self._impression(row, number)))
            for number, row in numbered:
                records[self._partition(row)].extend(("event", event) for event in self._events(row, number))
            first = last
        messages = [(place, FeedMessage(part, last_time)) for place, part in enumerate(records)]
        return ReplayWindow(end - start, last_time, messages)

    def _partition(self, row: Any) -> int:
        return partition_of(row.user_id, self._num_partitions)

    def _impression(self, row: Any, number: int) -> dict[str, Any]:
        columns = self._columns.get(row.content_id)
        if columns is None:
            columns = ContentColumns.of([self.table.contents[row.content_id]])
            self._columns[row.content_id] = columns
        return Impression(
            request_id=f"{self.table.name}-{number}",
            user_id=row.user_id,
            timestamp=row.time,
            model=self._model,
            arm="log",
            context=RequestContext(),
            contents=columns,
            propensities=np.full(1, np.nan, dtype=np.float32),
            scores=np.full(1, np.nan, dtype=np.float32),
            sources=["log"],
            features=None,
        ).to_wire()

    def _events(self, row: Any, number: int) -> Iterator[dict[str, Any]]:
        request_id = f"{self.table.name}-{number}"
        about = {
            "timestamp": row.time,
            "user_id": row.user_id,
            "content_id": row.content_id,
            "request_id": request_id,
        }
        yield {
            "event_type": "view" if row.engaged else "skip",
            "event_id": f"{request_id}-terminal",
            **about,
            "watch_duration": float(row.watch_seconds),
            "long_view": bool(row.long_view),
        }
        if row.liked:
            yield {"event_type": "like", "event_id": f"{request_id}-like", **about}


def table_of(
    name: str, rows: pd.DataFrame, contents: Mapping[str, ContentFacts], *, drop_duplicates: bool = True
) -> InteractionTable:
    """Sort by time and give every content that has no facts empty ones, as old as its first row."""
    rows = rows.loc[:, list(COLUMNS)]
    if drop_duplicates:
        rows = rows.drop_duplicates()
    rows = rows.sort_values("time", kind="stable", ignore_index=True)
    known = dict(contents)
    firsts = rows.drop_duplicates("content_id")
    for content_id, first in zip(firsts["content_id"], firsts["time"], strict=True):
        if content_id not in known:
            facts = {"content_id": content_id, "creator_id": "", "upload_timestamp": first, "metadata": {}}
            known[content_id] = ContentFacts.from_wire(facts)
    return InteractionTable(name, rows, known)
