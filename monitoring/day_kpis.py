"""Sums of one day of one segment, from which every KPI of the day follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from messages.arrays import IdArray, IntArray
from messages.codec import pack, unpack
from messages.events import EVENT_TYPES
from messages.examples import HEAD_INDEX, HEADS, LabelKind
from messages.identifiers import MISSING_KEY
from monitoring.event_rows import UNKNOWN_AGE, UNKNOWN_CHANCE, EventRows

_ENGAGE = HEAD_INDEX["engage"]
_CLOSING = np.array([LabelKind.OBSERVED_NEGATIVE, LabelKind.OBSERVED_POSITIVE], dtype=np.uint8)
_POSITIVE = [LabelKind.OBSERVED_POSITIVE, LabelKind.EARLY_POSITIVE, LabelKind.LATE_POSITIVE]


class DayKpis:
    """Whole numbers only: the same whatever the order and the cut of what is added.

    An impression is counted where a terminal event closes it, once.
    """

    def __init__(self) -> None:
        self.users: set[int] = set()
        self.events: IntArray = np.zeros(len(EVENT_TYPES), dtype=np.int64)
        self.labels: IntArray = np.zeros((len(HEADS), len(LabelKind)), dtype=np.int64)
        self.watch_ms = 0
        self.creators: dict[int, int] = {}
        """Impressions by creator."""
        self.categories: dict[int, int] = {}
        self.ages_known = 0
        self.age_seconds = 0
        self.num_fresh = 0
        self.chances_known = 0
        self.chance_units = 0
        """Sum of the known chances of impressions, in units of 1 / CHANCE_UNIT."""
        self.num_engaged = 0
        """Of the impressions whose chance is known."""
        self._encoded: bytes | None = None

    def add(self, rows: EventRows, fresh_seconds: int) -> None:
        """Count events that all lie on this day."""
        self._encoded = None
        self.users.update(np.unique(rows.user_keys).tolist())
        self.events += np.bincount(rows.event_types, minlength=len(EVENT_TYPES))
        for head in range(len(HEADS)):
            self.labels[head] += np.bincount(rows.labels[:, head], minlength=len(LabelKind))
        self.watch_ms += int(rows.watch_ms.sum())
        closing = np.isin(rows.labels[:, _ENGAGE], _CLOSING)
        _count(self.creators, rows.creator_keys[closing])
        _count(self.categories, rows.category_keys[closing])
        ages = rows.ages[closing]
        ages = ages[ages != UNKNOWN_AGE]
        self.ages_known += len(ages)
        self.age_seconds += int(ages.sum())
        self.num_fresh += int((ages <= fresh_seconds).sum())
        asked = closing & (rows.chances != UNKNOWN_CHANCE)
        self.chances_known += int(asked.sum())
        self.chance_units += int(rows.chances[asked].sum())
        self.num_engaged += int((rows.labels[asked, _ENGAGE] == LabelKind.OBSERVED_POSITIVE).sum())

    def impressions(self) -> int:
        """Of those that a terminal event closed."""
        return int(self.labels[_ENGAGE, _CLOSING].sum())

    def positives(self, head: str) -> int:
        """Return how many impressions had the head's engagement."""
        return int(self.labels[HEAD_INDEX[head], _POSITIVE].sum())

    def encode(self) -> bytes:
        """Pack, once until something is added; equal states give equal bytes."""
        if self._encoded is None:
            self._encoded = pack(
                {
                    "users": np.array(sorted(self.users), dtype=np.uint64),
                    "events": self.events,
                    "labels": self.labels,
                    "sums": [self.watch_ms, self.ages_known, self.age_seconds, self.num_fresh],
                    "calibration": [self.chances_known, self.chance_units, self.num_engaged],
                    "creators": _to_arrays(self.creators),
                    "categories": _to_arrays(self.categories),
                }
            )
        return self._encoded

    @classmethod
    def decode(cls, data: bytes) -> DayKpis:
        wire: Mapping[str, Any] = unpack(data)
        day = cls()
        day.users = set(wire["users"].tolist())
        day.events, day.labels = wire["events"].copy(), wire["labels"].copy()
        day.watch_ms, day.ages_known, day.age_seconds, day.num_fresh = wire["sums"]
        day.chances_known, day.chance_units, day.num_engaged = wire.get("calibration", (0, 0, 0))
        day.creators, day.categories = _from_arrays(wire["creators"]), _from_arrays(wire["categories"])
        day._encoded = data
        return day


def _count(counts: dict[int, int], keys: IdArray) -> None:
    kinds, numbers = np.unique(keys[keys != MISSING_KEY], return_counts=True)
    for kind, number in zip(kinds.tolist(), numbers.tolist(), strict=True):
        counts[kind] = counts.get(kind, 0) + number


def _to_arrays(counts: Mapping[int, int]) -> list[Any]:
    ordered = sorted(counts.items())
    return [
        np.array([key for key, _ in ordered], dtype=np.uint64),
        np.array([number for _, number in ordered], dtype=np.int64),
    ]


def _from_arrays(wire: Any) -> dict[int, int]:
    return dict(zip(wire[0].tolist(), wire[1].tolist(), strict=True))
