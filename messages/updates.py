"""What learners, shards, the model actor and replicas say to each other about weights.

A group is one set of tables with positions of its own: every model is a group, and the content counters are
one group (COUNTERS_GROUP) for all models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from messages.arrays import AnyArray, DoubleArray, FloatArray, IdArray, IntArray
from messages.content import ContentColumns
from messages.impressions import ModelVersion

COUNTERS_GROUP = "counters"

COUNTER_TOTALS: tuple[str, ...] = (
    "views", "completes", "skips", "replays", "likes", "comments", "shares", "saves", "follows", "hides",
    "reports", "long_views", "watch_milliseconds",
)  # fmt: skip
"""The int64 totals of a content, in column order. Append, never reorder."""

COUNTER_TOTAL_INDEX = {name: index for index, name in enumerate(COUNTER_TOTALS)}

DECAYED_COUNTERS: tuple[str, ...] = ("terminals", "engaged", "long_views", "positives", "negatives")
"""The forward-decayed sums of a content, each at every one of HALF_LIVES."""

HALF_LIVES: tuple[float, ...] = (3_600.0, 86_400.0)
"""Seconds: an hour for what is rising now, a day for what holds."""


@dataclass(frozen=True, slots=True)
class Span:
    """The stretch of one EXAMPLES partition that an update covers.

    start, end: EXAMPLES sequences; rows after `start` up to and including `end`. feed_position: the FEED
    sequence that `end` covers. watermark: stream time at `end`, epoch seconds. examples: rows in the span.
    """

    start: int
    end: int
    feed_position: int
    watermark: float
    examples: int


@dataclass(frozen=True, slots=True)
class RowGradients:
    """ids: uint64 [m], unique. gradients: float32 [m, dimension], summed over the batch. counts: uint32 [m],
    occurrences in the batch."""

    ids: IdArray
    gradients: FloatArray
    counts: AnyArray

    def take(self, rows: IntArray) -> RowGradients:
        return RowGradients(self.ids[rows], self.gradients[rows], self.counts[rows])


@dataclass(frozen=True, slots=True)
class Rows:
    """ids: uint64 [m], unique. values: float32 [m, dimension]."""

    ids: IdArray
    values: FloatArray

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: IntArray) -> Rows:
        return Rows(self.ids[rows], self.values[rows])


@dataclass(frozen=True, slots=True)
class CounterRows:
    """Counters of m contents, or increments to them.

    ids: uint64 [m], unique. totals: int64 [m, len(COUNTER_TOTALS)]. decayed: float64 [m, len(HALF_LIVES),
    len(DECAYED_COUNTERS)], each as of `times`: float64 [m], epoch seconds of the row's newest event.
    """

    ids: IdArray
    totals: IntArray
    decayed: DoubleArray
    times: DoubleArray

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: IntArray) -> CounterRows:
        return CounterRows(self.ids[rows], self.totals[rows], self.decayed[rows], self.times[rows])

    @classmethod
    def zeros(cls, ids: IdArray) -> CounterRows:
        return cls(
            ids,
            np.zeros((len(ids), len(COUNTER_TOTALS)), dtype=np.int64),
            np.zeros((len(ids), len(HALF_LIVES), len(DECAYED_COUNTERS)), dtype=np.float64),
            np.zeros(len(ids), dtype=np.float64),
        )


@dataclass(frozen=True, slots=True)
class PullRequest:
    """Rows to read; nothing is inserted. A missing row reads as its initial value, a function of its id.

    ids: per slot, uint64 [m], unique. dense_newer_than: send dense weights changed after this version of the
    shard, -1 for all, None for none. counter_ids: read from COUNTERS_GROUP, uint64 [m] unique. cut_for: key
    of the buckets that the sender takes the shard to host (`key_of_buckets`); None is not checked.
    """

    group: str
    ids: Mapping[str, IdArray]
    dense_newer_than: int | None = None
    counter_ids: IdArray | None = None
    cut_for: int | None = None


@dataclass(frozen=True, slots=True)
class PullReply:
    """values: per slot, float32 [m, dimension] in the order asked. version: of the group on this shard."""

    values: Mapping[str, FloatArray]
    dense: Mapping[str, FloatArray]
    counters: CounterRows | None
    version: int


@dataclass(frozen=True, slots=True)
class Update:
    """One mini-batch's effect on one group, for one shard; applied whole or not at all, exactly once.

    epoch: of the owner of these partitions; lower ones than the shard has seen are refused. births: first
    values for rows that do not exist yet (a new content's, from its features). learning_rate_scale multiplies
    each optimizer's own rate. stream_time: the newest row's time, epoch seconds. cut_for: key of the buckets
    that the sender takes the shard to host (`key_of_buckets`): rows of a bucket that is not among them went
    elsewhere, so a shard that hosts others must not move its positions. None is not checked.
    """

    group: str
    epoch: int
    spans: Mapping[int, Span]
    rows: Mapping[str, RowGradients] = field(default_factory=dict)
    births: Mapping[str, Rows] = field(default_factory=dict)
    dense: Mapping[str, FloatArray] = field(default_factory=dict)
    counters: CounterRows | None = None
    learning_rate_scale: float = 1.0
    stream_time: float = 0.0
    cut_for: int | None = None


class UpdateOutcome(StrEnum):
    """A shard's answer. Only APPLIED changes anything."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    """Every bucket stands at or past the end: this update was applied before."""
    BEHIND = "behind"
    """A bucket stands before the start: something is missing in between."""
    SPLIT = "split"
    """A bucket stands inside the span, or buckets disagree: reread positions and cut again."""
    STALE_EPOCH = "stale_epoch"
    """Another owner has taken these partitions; the sender must stop."""
    MOVING = "moving"
    """Buckets come or go just now, or it was cut for others than are here: cut again by the newest map."""

    @property
    def is_held(self) -> bool:
        """Whether the shard holds the update's effect, from this time or an earlier one."""
        return self in (UpdateOutcome.APPLIED, UpdateOutcome.DUPLICATE)


@dataclass(frozen=True, slots=True)
class UpdateReply:
    outcome: UpdateOutcome
    version: int


@dataclass(frozen=True, slots=True)
class Position:
    """How far a partition is learned. Ordered by `examples`."""

    examples: int = 0
    feed: int = 0
    watermark: float = 0.0


Cursor = tuple[int, str]
"""Where a reader of a group's deltas stands: a version, and the incarnation of the shard that it is of."""


@dataclass(frozen=True, slots=True)
class ShardDelta:
    """What changed in one group on one shard after `from_version`, up to `to_version`.

    full: everything there is, because the reader's version is unknown here or older than the log of removals.
    positions: per partition, the lowest of the shard's buckets.
    """

    group: str
    incarnation: str
    from_version: int
    to_version: int
    full: bool
    rows: Mapping[str, Rows]
    removed: Mapping[str, IdArray]
    dense: Mapping[str, FloatArray]
    counters: CounterRows | None
    positions: Mapping[int, Position]


@dataclass(frozen=True, slots=True)
class ModelDelta:
    """What the model actor hands to replicas: one version, all shards, values absolute (never increments).

    previous: the counter this builds on; a replica that stands elsewhere asks for a full one. positions: per
    partition, the lowest over shards. contents: facts of new or changed contents; removed_contents: keys.
    created_at: epoch seconds at which the shards were read.
    """

    version: ModelVersion
    previous: int
    full: bool
    rows: Mapping[str, Rows]
    removed: Mapping[str, IdArray]
    dense: Mapping[str, FloatArray]
    counters: CounterRows | None
    contents: ContentColumns | None
    removed_contents: IdArray
    positions: Mapping[int, Position]
    created_at: float
