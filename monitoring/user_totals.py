"""What each person did, before an experiment and since: the numbers of which its metrics are ratios.

Whole numbers by person, folded from EXAMPLES like the KPIs: exact, whatever the order of the partitions, and
the same after a crash.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from messages.arrays import IntArray
from messages.codec import pack, unpack
from messages.events import EVENT_TYPE_CODES
from messages.examples import HEAD_INDEX, ExampleBatch, LabelKind
from monitoring.counted_messages import NumberedBatch, uncounted
from monitoring.user_moments import Moments

COUNTS: tuple[str, ...] = (
    "people",
    "impressions",
    "engagements",
    "long_views",
    "completes",
    "positives",
    "negatives",
    "watch_ms",
)
"""Of one person. people: 1. impressions: closed by a terminal event; engagements: of them, viewed rather than
skipped. positives: likes, comments, shares, follows, saves. Append, never reorder."""

COUNT_INDEX = {name: index for index, name in enumerate(COUNTS)}

NO_ARM = -1
_POSITIVE_TYPES = np.array(
    [EVENT_TYPE_CODES[name] for name in ("like", "comment", "share", "follow", "save")], dtype=np.uint8
)
_NEGATIVE_TYPES = np.array([EVENT_TYPE_CODES[name] for name in ("hide", "report")], dtype=np.uint8)
_UPLOAD = EVENT_TYPE_CODES["content_upload"]


class UserTotals:
    """One experiment's people. arms: labels as impressions carry them; started: epoch seconds.

    Somebody belongs to the arm of their first impression since the start, and what they do under another
    (after a change of the weights) is left out and counted in `num_switched`. What they did before the
    start, under whatever arm, is their history.
    """

    def __init__(self, arms: Sequence[str], started: float) -> None:
        self.arms = tuple(arms)
        self.started = started
        self.positions: dict[int, int] = {}
        self.num_switched = 0
        self._arm_index = {arm: index for index, arm in enumerate(self.arms)}
        self._rows: dict[int, int] = {}
        self._arm_of: IntArray = np.full(64, NO_ARM, dtype=np.int64)
        self._before: IntArray = np.zeros((64, len(COUNTS)), dtype=np.int64)
        self._since: IntArray = np.zeros((64, len(COUNTS)), dtype=np.int64)

    def add(self, batch: ExampleBatch, *, partition: int, position: int) -> bool:
        """Count a message; False if it, or a later one of its partition, has been counted already."""
        return self.add_all([NumberedBatch(batch, partition, position)])

    def add_all(self, messages: Sequence[NumberedBatch]) -> bool:
        """Count messages, those of a partition in their order; False if all have been counted already."""
        batch = uncounted(messages, self.positions)
        if batch is None:
            return False
        joined = batch.joined
        if joined is None:
            return True
        arms = np.full(len(batch), NO_ARM, dtype=np.int64)
        arms[joined.rows] = [self._arm_index.get(arm, NO_ARM) for arm in joined.arms]
        numbers = _counts_of(batch)
        found = np.zeros(len(batch), dtype=np.bool_)
        found[joined.rows] = True
        since = batch.times >= self.started
        wanted = np.flatnonzero(found & (batch.event_types != _UPLOAD) & (~since | (arms != NO_ARM)))
        rows = np.array([self._row_of(key) for key in batch.user_keys[wanted].tolist()], dtype=np.int64)
        before = ~since[wanted]
        np.add.at(self._before, rows[before], numbers[wanted[before]])
        self._add_since(rows[~before], arms[wanted[~before]], numbers[wanted[~before]])
        return True

    def people(self) -> IntArray:
        """Return how many people each arm has, int64 [arms]."""
        arms = self._arm_of[: len(self._rows)]
        return np.bincount(arms[arms != NO_ARM], minlength=len(self.arms))

    def moments(self, arm: int, numerator: str, denominator: str) -> Moments:
        """Return the moments of a metric in an arm, in an order of people that does not depend on theirs."""
        keys = np.fromiter(self._rows, dtype=np.uint64, count=len(self._rows))
        rows = np.argsort(keys, kind="stable")
        rows = rows[self._arm_of[rows] == arm]
        top, bottom = COUNT_INDEX[numerator], COUNT_INDEX[denominator]
        columns = [self._since[rows, top], self._since[rows, bottom]]
        columns += [self._before[rows, top], self._before[rows, bottom]]
        return Moments.of(np.column_stack(columns).astype(np.float64))

    def encode(self) -> bytes:
        """Pack; equal states give equal bytes."""
        keys = np.fromiter(self._rows, dtype=np.uint64, count=len(self._rows))
        rows = np.argsort(keys, kind="stable")
        return pack(
            {
                "arms": list(self.arms),
                "started": self.started,
                "positions": sorted(self.positions.items()),
                "num_switched": self.num_switched,
                "keys": keys[rows],
                "arm_of": self._arm_of[rows],
                "before": self._before[rows],
                "since": self._since[rows],
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> UserTotals:
        wire: Mapping[str, Any] = unpack(data)
        totals = cls(wire["arms"], wire["started"])
        totals.positions = dict(wire["positions"])
        totals.num_switched = wire["num_switched"]
        totals._rows = {key: row for row, key in enumerate(wire["keys"].tolist())}
        totals._arm_of = wire["arm_of"].copy()
        totals._before, totals._since = wire["before"].copy(), wire["since"].copy()
        return totals

    def _add_since(self, rows: IntArray, arms: IntArray, numbers: IntArray) -> None:
        own = np.empty(len(rows), dtype=np.bool_)
        for place, (row, arm) in enumerate(zip(rows.tolist(), arms.tolist(), strict=True)):
            if self._arm_of[row] == NO_ARM:
                self._arm_of[row] = arm
                self._since[row, COUNT_INDEX["people"]] = 1
            own[place] = self._arm_of[row] == arm
        self.num_switched += int((~own).sum())
        np.add.at(self._since, rows[own], numbers[own])

    def _row_of(self, key: int) -> int:
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = len(self._rows)
            if row >= len(self._arm_of):
                self._grow(max(row, 64))
            self._before[row, COUNT_INDEX["people"]] = 1
        return row

    def _grow(self, more: int) -> None:
        nobody = np.zeros((more, len(COUNTS)), dtype=np.int64)
        self._arm_of = np.concatenate([self._arm_of, np.full(more, NO_ARM, dtype=np.int64)])
        self._before = np.concatenate([self._before, nobody])
        self._since = np.concatenate([self._since, nobody])


def _counts_of(batch: ExampleBatch) -> IntArray:
    """Of every row, int64 [n, COUNTS]; people are set by whoever knows whether they are new."""
    joined = batch.joined
    assert joined is not None
    numbers = np.zeros((len(batch), len(COUNTS)), dtype=np.int64)
    for name, head in (("engagements", "engage"), ("long_views", "long_view"), ("completes", "complete")):
        labels = joined.labels[:, HEAD_INDEX[head]]
        late = labels == LabelKind.LATE_POSITIVE
        numbers[joined.rows, COUNT_INDEX[name]] = (labels == LabelKind.OBSERVED_POSITIVE) | late
    closing = joined.labels[:, HEAD_INDEX["engage"]]
    numbers[joined.rows, COUNT_INDEX["impressions"]] = (closing == LabelKind.OBSERVED_POSITIVE) | (
        closing == LabelKind.OBSERVED_NEGATIVE
    )
    numbers[:, COUNT_INDEX["positives"]] = np.isin(batch.event_types, _POSITIVE_TYPES)
    numbers[:, COUNT_INDEX["negatives"]] = np.isin(batch.event_types, _NEGATIVE_TYPES)
    watched = np.nan_to_num(batch.watch_seconds).astype(np.float64)
    numbers[:, COUNT_INDEX["watch_ms"]] = np.rint(watched * 1000).astype(np.int64)
    return numbers
