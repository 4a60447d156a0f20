"""Cuts EXAMPLES into mini-batches whose spans every bucket of the parameter server can take exactly once."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from messages.arrays import IntArray
from messages.examples import ExampleBatch
from messages.examples_header import ExamplesHeader
from messages.updates import Span


class LostExamplesError(Exception):
    """EXAMPLES no longer holds what comes next (trimmed, or made anew): going on would skip events."""


@dataclass(frozen=True, slots=True)
class ExamplesMessage:
    """One EXAMPLES message as read. sequence: its place in the stream."""

    partition: int
    sequence: int
    header: ExamplesHeader
    batch: ExampleBatch


@dataclass(frozen=True, slots=True)
class MiniBatch:
    """Whole messages, and per partition the span they cover."""

    messages: list[ExamplesMessage]
    spans: dict[int, Span]

    @property
    def num_rows(self) -> int:
        return sum(len(message.batch) for message in self.messages)

    def batch(self) -> ExampleBatch:
        return ExampleBatch.concatenate([message.batch for message in self.messages])


@dataclass(slots=True)
class _Partition:
    position: int
    """Everything up to here is in every bucket."""
    read: int
    """Everything up to here is in `waiting` or before `position`."""
    ahead: list[int]
    """Positions past `position` at which some bucket stands: cuts must fall on them."""
    waiting: deque[ExamplesMessage] = field(default_factory=deque)


class SpanCutter:
    """Per partition: what is applied, what waits, and where the next cut may fall.

    After a crash buckets may differ: those ahead answer "duplicate" to what they hold already. Until they
    agree, such a partition is cut exactly where a bucket stands and trains in batches of its own.
    """

    def __init__(self, bucket_positions: Mapping[int, IntArray]) -> None:
        """bucket_positions: per partition, the positions of all buckets, int64 [buckets]."""
        self._partitions = {
            partition: self._resume(np.unique(positions)) for partition, positions in bucket_positions.items()
        }
        self._num_waiting_rows = 0

    @staticmethod
    def _resume(distinct: IntArray) -> _Partition:
        first, *rest = (int(position) for position in distinct)
        return _Partition(position=first, read=first, ahead=rest)

    @property
    def start_sequence(self) -> int:
        """The first EXAMPLES sequence that any partition still needs."""
        return min((part.read for part in self._partitions.values()), default=0) + 1

    @property
    def num_waiting_rows(self) -> int:
        return self._num_waiting_rows

    @property
    def num_waiting_messages(self) -> int:
        return sum(len(part.waiting) for part in self._partitions.values())

    @property
    def buckets_agree(self) -> bool:
        """Whether all buckets stand at the same position of every partition."""
        return not any(part.ahead for part in self._partitions.values())

    def position(self, partition: int) -> int:
        return self._partitions[partition].position

    def add(self, message: ExamplesMessage) -> bool:
        """Take the next message of its partition; one that was read before is passed over (False).

        Raises LostExamplesError where its predecessor is not what was read last.
        """
        part = self._partitions[message.partition]
        if message.sequence <= part.read:
            return False
        if message.header.previous != part.read:
            raise LostExamplesError(
                f"partition {message.partition}: message {message.sequence} follows "
                f"{message.header.previous}, but {part.read} was read last; "
                f"restore a snapshot that the stream still reaches"
            )
        part.read = message.sequence
        part.waiting.append(message)
        self._num_waiting_rows += len(message.batch)
        return True

    def cut(self, max_rows: int) -> MiniBatch | None:
        """Return the next whole messages, in the stream's order, up to about `max_rows` rows (at least one
        message), or None where nothing waits."""
        apart = self._cut_apart(max_rows)
        return apart or self._cut_together(max_rows, {})

    def cut_after(self, mini_batch: MiniBatch, max_rows: int) -> MiniBatch | None:
        """Return what `cut` will return once `mini_batch` is done, which is on its way to the buckets; None
        also while buckets differ, since then that is not known yet."""
        if not self.buckets_agree:
            return None
        return self._cut_together(max_rows, {at: span.end for at, span in mini_batch.spans.items()})

    def _cut_together(self, max_rows: int, ends: Mapping[int, int]) -> MiniBatch | None:
        """Cut partitions on which buckets agree. ends: what is on its way, up to these sequences."""
        messages: list[ExamplesMessage] = []
        num_rows = 0
        waiting = [
            _past(ends.get(at, 0), part.waiting) for at, part in self._partitions.items() if not part.ahead
        ]
        for message in heapq.merge(*waiting, key=_sequence):
            messages.append(message)
            num_rows += len(message.batch)
            if num_rows >= max_rows:
                break
        return self._mini_batch(messages, ends)

    def cut_in_time_order(self, max_rows: int) -> MiniBatch | None:
        """Return the messages up to the lowest watermark at which some partition's next message ends.

        For replays, in which the learner adds the counters: no row may be trained after one that is later, in
        whatever partition. None while a partition's next message has not been read.
        """
        apart = self._cut_apart(max_rows)
        if apart is not None:
            return apart
        if not all(part.waiting for part in self._partitions.values()):
            return None
        lowest = min(part.waiting[0].header.watermark for part in self._partitions.values())
        return self._mini_batch(
            [
                message
                for part in self._partitions.values()
                for message in itertools.takewhile(lambda m: m.header.watermark <= lowest, part.waiting)
            ]
        )

    def _cut_apart(self, max_rows: int) -> MiniBatch | None:
        """Cut a partition on which buckets differ, up to the next position at which one stands."""
        for part in self._partitions.values():
            if part.ahead and part.waiting:
                messages: list[ExamplesMessage] = []
                for message in part.waiting:
                    if message.sequence > part.ahead[0] or sum(len(m.batch) for m in messages) >= max_rows:
                        break
                    messages.append(message)
                return self._mini_batch(messages)
        return None

    def _mini_batch(
        self, messages: list[ExamplesMessage], ends: Mapping[int, int] | None = None
    ) -> MiniBatch | None:
        return MiniBatch(messages, self._spans(messages, ends or {})) if messages else None

    def done(self, mini_batch: MiniBatch) -> None:
        """Every bucket holds this mini-batch now."""
        for partition, span in mini_batch.spans.items():
            part = self._partitions[partition]
            part.position = span.end
            part.ahead = [position for position in part.ahead if position > span.end]
            while part.waiting and part.waiting[0].sequence <= span.end:
                self._num_waiting_rows -= len(part.waiting.popleft().batch)

    def _spans(self, messages: list[ExamplesMessage], ends: Mapping[int, int]) -> dict[int, Span]:
        spans: dict[int, Span] = {}
        for message in messages:
            before = spans.get(message.partition)
            spans[message.partition] = Span(
                start=ends.get(message.partition, self._partitions[message.partition].position)
                if before is None
                else before.start,
                end=message.sequence,
                feed_position=message.header.feed_position,
                watermark=message.header.watermark,
                examples=len(message.batch) + (0 if before is None else before.examples),
            )
        return spans


def _past(end: int, messages: Iterable[ExamplesMessage]) -> Iterator[ExamplesMessage]:
    return itertools.dropwhile(lambda message: message.sequence <= end, messages)


def _sequence(message: ExamplesMessage) -> int:
    return message.sequence
