"""A stream of FEED messages, with the times of their appends, cut into the windows of a replay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from messages.feed import FeedMessage
from simulations.kuairand import ReplayWindow


def windows_of(
    messages: Iterable[tuple[int, FeedMessage]], *, num_partitions: int, window_rows: int
) -> Iterator[ReplayWindow]:
    """Yield messages (partition and message, whose log_time is the time of its append) in their order.

    A window holds about `window_rows` events that people sent, and ends with one message for every partition,
    which moves its clock to the time of the window's last one.
    """
    waiting: list[tuple[int, FeedMessage]] = []
    num_rows, last_time = 0, 0.0
    for partition, message in messages:
        waiting.append((partition, message))
        last_time = max(last_time, message.log_time or 0.0)
        num_rows += sum(
            kind == "event" and isinstance(record, dict) and "user_id" in record
            for kind, record in message.records
        )
        if num_rows >= window_rows:
            yield _window(waiting, num_partitions, num_rows, last_time)
            waiting, num_rows = [], 0
    if waiting:
        yield _window(waiting, num_partitions, num_rows, last_time)


def _window(
    messages: list[tuple[int, FeedMessage]], num_partitions: int, num_rows: int, last_time: float
) -> ReplayWindow:
    ends = [(partition, FeedMessage([], last_time)) for partition in range(num_partitions)]
    return ReplayWindow(num_rows, last_time, [*messages, *ends])
