"""What every log that is replayed has in common, and a stretch of one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from messages.feed import FeedMessage, RecordKind
from simulations.kuairand import ReplayWindow


class ReplayLog(Protocol):
    """Rows in the order of their time; `KuaiRandLog`, `TableLog`, `RecordedLog`, `TimeStretch`."""

    def __len__(self) -> int:
        """Return how many rows are replayed."""
        ...

    def windows(self) -> Iterator[ReplayWindow]:
        """Yield all rows, each window with a last message for every partition that holds its last time. Each
        call begins anew."""
        ...


class LogFormatError(ValueError):
    """Files do not hold the log they are said to hold; the text names what is missing."""


class TimeStretch:
    """The records of a log with start <= time < end, epoch seconds: time travel, `--from` and `--to`.

    What is learned begins at `start` from nothing; the same stretch under two settings is a fair comparison.
    """

    def __init__(self, log: ReplayLog, start: float | None, end: float | None) -> None:
        self._log = log
        self._start = float("-inf") if start is None else start
        self._end = float("inf") if end is None else end
        self._num_rows = sum(window.num_rows for window in self.windows())

    def __len__(self) -> int:
        return self._num_rows

    def windows(self) -> Iterator[ReplayWindow]:
        for window in self._log.windows():
            if window.last_time < self._start:
                continue
            messages = [
                (partition, FeedMessage(self._kept(message.records), message.log_time))
                for partition, message in window.messages
            ]
            num_rows = sum(
                kind == "event" and record["event_type"] in ("view", "complete_view", "skip")
                for _, message in messages
                for kind, record in message.records
            )
            if num_rows:
                yield ReplayWindow(num_rows, window.last_time, messages)
            elif window.last_time >= self._end:
                return

    def _kept(self, records: list[tuple[RecordKind, Any]]) -> list[tuple[RecordKind, Any]]:
        return [(kind, record) for kind, record in records if self._start <= record["timestamp"] < self._end]
