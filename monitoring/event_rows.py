"""What the KPIs read of an EXAMPLES message: whole numbers, so that sums do not depend on their order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TypeAlias

import numpy as np

from messages.arrays import AnyArray, BoolArray, ByteArray, DoubleArray, FloatArray, IdArray, IntArray
from messages.events import EVENT_TYPE_CODES
from messages.examples import HEADS, ExampleBatch
from messages.features import FeatureBatch
from messages.identifiers import MISSING_KEY
from monitoring.session_intervals import DAY_MS

AgeReader: TypeAlias = Callable[[FeatureBatch], DoubleArray]
"""Gives the ages of n contents in seconds, NaN where unknown: only learners know where features stand."""


def log_age_reader(column: int, scale: float, unit_seconds: float) -> AgeReader:
    """Read ages off a dense feature that holds log(1 + age / unit) / scale, in this column."""

    def ages(features: FeatureBatch) -> DoubleArray:
        logs = features.dense[:, column].astype(np.float64)
        return np.asarray(np.expm1(logs * scale) * unit_seconds, dtype=np.float64)

    return ages


GroupReader: TypeAlias = Callable[[FeatureBatch], IntArray]
"""Gives the groups that each of n rows' people belong to, int64 [n]: group k is bit k."""

MOST_GROUPS = 63


def bag_group_reader(bag: str, keys: IdArray) -> GroupReader:
    """Read groups off a bag of ids: group k holds the k-th key, uint64 [<= MOST_GROUPS], in its bag."""

    def groups(features: FeatureBatch) -> IntArray:
        bags = features.bags[bag]
        rows = np.repeat(np.arange(len(bags)), bags.lengths())
        belongs = np.zeros(len(bags), dtype=np.int64)
        for group, key in enumerate(keys):
            belongs[rows[bags.values == key]] |= 1 << group
        return belongs

    return groups


UNKNOWN_AGE = -1
CHANCE_UNIT = 1 << 30
"""Chances are summed as whole numbers of 2^-30, so neither order nor a crash shows in the sums."""
UNKNOWN_CHANCE = -1
_UPLOAD = EVENT_TYPE_CODES["content_upload"]


@dataclass(frozen=True, slots=True)
class EventRows:
    """n events of people (uploads are none).

    times_ms, days: since 1970, UTC. labels: LabelKind, uint8 [n, heads], untrained for orphans. ages: of the
    content, whole seconds, or UNKNOWN_AGE. arms, model_ids: of the impression, empty for orphans. groups: of
    the person, a bit each, none for orphans. chances: of an engagement, as the model that served gave them,
    in units of 1 / CHANCE_UNIT, or UNKNOWN_CHANCE.
    """

    user_keys: IdArray
    event_types: ByteArray
    times_ms: IntArray
    days: IntArray
    watch_ms: IntArray
    creator_keys: IdArray
    category_keys: IdArray
    labels: ByteArray
    ages: IntArray
    arms: AnyArray
    model_ids: AnyArray
    groups: IntArray
    chances: IntArray

    def __len__(self) -> int:
        return len(self.user_keys)

    @classmethod
    def of(
        cls,
        batch: ExampleBatch,
        content_ages: AgeReader | None = None,
        groups: GroupReader | None = None,
    ) -> EventRows:
        count = len(batch)
        labels = np.zeros((count, len(HEADS)), dtype=np.uint8)
        categories = np.full(count, MISSING_KEY, dtype=np.uint64)
        ages = np.full(count, UNKNOWN_AGE, dtype=np.int64)
        belongs = np.zeros(count, dtype=np.int64)
        chances = np.full(count, UNKNOWN_CHANCE, dtype=np.int64)
        arms, model_ids = np.full(count, "", dtype=object), np.full(count, "", dtype=object)
        joined = batch.joined
        if joined is not None:
            labels[joined.rows] = joined.labels
            if "category" in joined.features.ids:
                categories[joined.rows] = joined.features.ids["category"]
            if content_ages is not None:
                known = np.nan_to_num(content_ages(joined.features), nan=UNKNOWN_AGE)
                ages[joined.rows] = np.floor(known).astype(np.int64)
            if groups is not None:
                belongs[joined.rows] = groups(joined.features)
            arms[joined.rows] = joined.arms
            model_ids[joined.rows] = joined.model_ids
            if joined.engage_chances is not None:
                chances[joined.rows] = _units_of(joined.engage_chances)
        times_ms = np.rint(batch.times * 1000).astype(np.int64)
        rows = cls(
            user_keys=batch.user_keys,
            event_types=batch.event_types,
            times_ms=times_ms,
            days=times_ms // DAY_MS,
            watch_ms=np.rint(np.nan_to_num(batch.watch_seconds).astype(np.float64) * 1000).astype(np.int64),
            creator_keys=batch.creator_keys,
            category_keys=categories,
            labels=labels,
            ages=ages,
            arms=arms,
            model_ids=model_ids,
            groups=belongs,
            chances=chances,
        )
        uploads = batch.event_types == _UPLOAD
        return rows.take(~uploads) if uploads.any() else rows

    def take(self, which: BoolArray) -> EventRows:
        return EventRows(*(getattr(self, field.name)[which] for field in fields(self)))


def _units_of(chances: FloatArray) -> IntArray:
    """What is no probability counts as unknown: one broken answer must not spoil a day."""
    known = (chances >= 0) & (chances <= 1)
    units = np.rint(np.where(known, chances, 0.0).astype(np.float64) * CHANCE_UNIT).astype(np.int64)
    return np.where(known, units, UNKNOWN_CHANCE)
