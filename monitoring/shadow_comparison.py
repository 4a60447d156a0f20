"""A shadow against production on the same rows: whose predictions are better, before anybody sees them.

Both score every row before they learn it (progressive validation). The difference of their losses on one row
is a pair, and the pairs of one person belong together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from messages.arrays import ByteArray, DoubleArray, FloatArray, IdArray, IntArray
from messages.codec import pack, unpack
from messages.examples import LabelKind
from monitoring.sequential_test import SequentialLook, SequentialTest
from monitoring.user_moments import Moments, one_sample_ratio

_CLIP = 1e-6
_UNIT = 1 << 24
_SURE = np.array([LabelKind.OBSERVED_NEGATIVE, LabelKind.OBSERVED_POSITIVE], dtype=np.uint8)


def row_losses(labels: ByteArray, probabilities: FloatArray) -> tuple[DoubleArray, IntArray]:
    """Return the log loss (nats) of each row's observed heads, summed, float64 [k], and their number, int64.

    labels: LabelKind, uint8 [k, heads]. probabilities: float32 [k, heads]. Heads whose truth may still come
    are left out: their labels are provisional.
    """
    sure = np.isin(labels, _SURE)
    p = np.clip(np.asarray(probabilities, dtype=np.float64), _CLIP, 1 - _CLIP)
    losses = -np.where(labels == LabelKind.OBSERVED_POSITIVE, np.log(p), np.log1p(-p))
    return np.where(sure, losses, 0.0).sum(axis=1), sure.sum(axis=1)


class ShadowComparison:
    """Mean loss of the candidate less that of production, per prediction; below 0 the candidate is better.

    planned_people: by whom the test is at its sharpest. min_people: before the first look.
    """

    def __init__(self, *, alpha: float = 0.05, min_people: int = 100, planned_people: int = 5_000) -> None:
        self.num_rows = 0
        self._min_people = min_people
        self._planned_people = planned_people
        self._test = SequentialTest(alpha)
        self._people: dict[int, list[int]] = {}
        """By person: the sum of differences, in units of 2^-24 nats, and the number of predictions."""

    def add(
        self, user_keys: IdArray, labels: ByteArray, production: FloatArray, candidate: FloatArray
    ) -> None:
        """Count k rows that both have scored. production, candidate: probabilities, float32 [k, heads]."""
        first, number = row_losses(labels, production)
        second, _ = row_losses(labels, candidate)
        units = np.rint((second - first) * _UNIT).astype(np.int64)
        counted = number > 0
        self.num_rows += int(counted.sum())
        for person, unit, count in zip(
            user_keys[counted].tolist(), units[counted].tolist(), number[counted].tolist(), strict=True
        ):
            sums = self._people.setdefault(person, [0, 0])
            sums[0] += unit
            sums[1] += count

    @property
    def num_people(self) -> int:
        return len(self._people)

    def look(self) -> SequentialLook | None:
        """Return the difference with its always-valid interval; None before there are enough people."""
        if len(self._people) < self._min_people:
            return None
        sums = np.array([self._people[person] for person in sorted(self._people)], dtype=np.float64)
        estimate, variance = one_sample_ratio(Moments.of_totals(sums[:, 0] / _UNIT, sums[:, 1]))
        share = min(len(sums) / self._planned_people, 1.0)
        return self._test.look(estimate, variance, planned_share=share)

    def encode(self) -> bytes:
        people = sorted(self._people)
        return pack(
            {
                "num_rows": self.num_rows,
                "min_people": self._min_people,
                "planned_people": self._planned_people,
                "test": self._test.to_wire(),
                "people": np.array(people, dtype=np.uint64),
                "sums": np.array([self._people[key] for key in people], dtype=np.int64).reshape(-1, 2),
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> ShadowComparison:
        wire: Mapping[str, Any] = unpack(data)
        comparison = cls(min_people=wire["min_people"], planned_people=wire["planned_people"])
        comparison.num_rows = wire["num_rows"]
        comparison._test = SequentialTest.from_wire(wire["test"])
        comparison._people = dict(zip(wire["people"].tolist(), wire["sums"].tolist(), strict=True))
        return comparison
