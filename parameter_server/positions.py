"""Where each bucket stands on each partition of EXAMPLES, and what that says about an update.

The rule that makes every event count exactly once: positions are kept with the state they led to (as Flink
and Kafka Streams do), and a bucket takes an update only if its own position is where the update starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from messages.arrays import BoolArray, DoubleArray, IntArray
from messages.updates import Position, Span, UpdateOutcome


@dataclass(frozen=True, slots=True)
class BucketPositions:
    """Positions of b buckets on P partitions.

    buckets: int64 [b]. examples: EXAMPLES sequence applied last, int64 [b, P]. feed: FEED sequence that it
    covers, int64 [b, P]. watermarks: stream time there, epoch seconds, float64 [b, P]. applied: how many
    examples led there, int64 [b, P].
    """

    buckets: IntArray
    examples: IntArray
    feed: IntArray
    watermarks: DoubleArray
    applied: IntArray

    @classmethod
    def beginning(cls, buckets: IntArray, num_partitions: int) -> BucketPositions:
        shape = (len(buckets), num_partitions)
        return cls(
            buckets,
            np.zeros(shape, dtype=np.int64),
            np.zeros(shape, dtype=np.int64),
            np.zeros(shape, dtype=np.float64),
            np.zeros(shape, dtype=np.int64),
        )

    @property
    def num_partitions(self) -> int:
        return int(self.examples.shape[1])

    def copy(self) -> BucketPositions:
        return BucketPositions(
            self.buckets.copy(),
            self.examples.copy(),
            self.feed.copy(),
            self.watermarks.copy(),
            self.applied.copy(),
        )

    def of_buckets(self, wanted: BoolArray) -> BucketPositions:
        """Return the positions of wanted buckets. wanted: bool [NUM_BUCKETS]."""
        kept = wanted[self.buckets]
        return BucketPositions(
            self.buckets[kept],
            self.examples[kept],
            self.feed[kept],
            self.watermarks[kept],
            self.applied[kept],
        )

    def lowest(self) -> dict[int, Position]:
        """Return, per partition, the position of the bucket that is furthest behind; none of no buckets."""
        if not len(self.buckets):
            return {}
        behind = np.argmin(self.examples, axis=0)
        return {
            partition: Position(
                int(self.examples[bucket, partition]),
                int(self.feed[bucket, partition]),
                float(self.watermarks[bucket, partition]),
            )
            for partition, bucket in enumerate(behind)
        }

    def examples_applied(self) -> IntArray:
        """Return, per partition, the examples that every bucket has applied, int64 [P]."""
        if not len(self.buckets):
            return np.zeros(self.num_partitions, dtype=np.int64)
        lowest: IntArray = self.applied.min(axis=0)
        return lowest


class PositionLedger:
    """Keeps the positions of a group's buckets and the highest owner epoch seen per partition."""

    def __init__(self, buckets: IntArray, num_partitions: int) -> None:
        self.positions = BucketPositions.beginning(buckets, num_partitions)
        self.epochs: IntArray = np.zeros(num_partitions, dtype=np.int64)

    def begin_at(self, start: Mapping[int, Position]) -> None:
        """Say from where a new group learns, by partition."""
        for partition, position in start.items():
            self.positions.examples[:, partition] = position.examples
            self.positions.feed[:, partition] = position.feed
            self.positions.watermarks[:, partition] = position.watermark

    def outcome_of(self, spans: Mapping[int, Span]) -> UpdateOutcome:
        """Say what an update with these spans would do here. Raises ValueError for impossible spans.

        Buckets may differ (they come from different snapshots after a move). An update of several partitions
        is then refused; one of a single partition goes to the buckets that wait for it, and is a duplicate
        for the others, so that all come to agree.
        """
        partitions, starts, ends = self._columns(spans)
        standing = self.positions.examples[:, partitions]
        waiting, done = standing == starts, standing >= ends
        if (standing < starts).any():
            return UpdateOutcome.BEHIND
        if waiting.all():
            return UpdateOutcome.APPLIED
        if done.all():
            return UpdateOutcome.DUPLICATE
        is_clean = len(partitions) == 1 and (waiting | done).all()
        return UpdateOutcome.APPLIED if is_clean else UpdateOutcome.SPLIT

    def waiting_for(self, spans: Mapping[int, Span]) -> BoolArray:
        """Say which buckets an update would change whose outcome is APPLIED, bool [b]."""
        partitions, starts, _ = self._columns(spans)
        waiting: BoolArray = (self.positions.examples[:, partitions] == starts).all(axis=1)
        return waiting

    def is_stale(self, epoch: int, spans: Mapping[int, Span]) -> bool:
        """Say whether a later owner of one of these partitions has been here."""
        partitions, _, _ = self._columns(spans)
        return bool((self.epochs[partitions] > epoch).any())

    def remember(self, epoch: int, spans: Mapping[int, Span]) -> None:
        """Fence off earlier owners, whatever becomes of the update itself."""
        partitions = list(spans)
        self.epochs[partitions] = np.maximum(self.epochs[partitions], epoch)

    def advance(self, spans: Mapping[int, Span], waiting: BoolArray) -> None:
        """Move the buckets that waited to the ends of the spans. waiting: bool [b]."""
        for partition, span in spans.items():
            self.positions.examples[waiting, partition] = span.end
            self.positions.feed[waiting, partition] = span.feed_position
            self.positions.watermarks[waiting, partition] = span.watermark
            self.positions.applied[waiting, partition] += span.examples

    def drop(self, gone: BoolArray) -> None:
        """Forget buckets that another shard has now. gone: bool [NUM_BUCKETS]."""
        self.positions = self.positions.of_buckets(~gone)

    def add(self, buckets: IntArray) -> None:
        """Make room for buckets whose positions are to be loaded."""
        before = self.positions
        everything = np.union1d(before.buckets, buckets)
        self.positions = BucketPositions.beginning(everything, before.num_partitions)
        self.load(before, self.epochs)

    def load(self, saved: BucketPositions, epochs: IntArray) -> None:
        """Take over the positions of buckets from a snapshot, all of them hosted here."""
        own = {int(bucket): row for row, bucket in enumerate(self.positions.buckets)}
        rows = [own[int(bucket)] for bucket in saved.buckets]
        self.positions.examples[rows] = saved.examples
        self.positions.feed[rows] = saved.feed
        self.positions.watermarks[rows] = saved.watermarks
        self.positions.applied[rows] = saved.applied
        np.maximum(self.epochs, epochs, out=self.epochs)

    def _columns(self, spans: Mapping[int, Span]) -> tuple[list[int], IntArray, IntArray]:
        if not spans:
            raise ValueError("an update must say which stretch of EXAMPLES it covers")
        for partition, span in spans.items():
            if not 0 <= partition < self.positions.num_partitions:
                raise ValueError(f"partition {partition} of {self.positions.num_partitions}")
            if span.end <= span.start or span.examples < 0:
                raise ValueError(f"partition {partition}: {span} covers nothing, so it cannot count once")
        starts = np.array([span.start for span in spans.values()], dtype=np.int64)
        ends = np.array([span.end for span in spans.values()], dtype=np.int64)
        return list(spans), starts, ends
