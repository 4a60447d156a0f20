"""Whether the model is honest, by head and for whom: what it promised against what happened, by group.

Promises are summed as whole numbers (units of 2^-30), so neither order nor a crash shows in the sums. A group
is any value of an id or bag feature: a category, a surface, a trait of the person's profile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from messages.arrays import ByteArray, FloatArray, IdArray, IntArray
from messages.codec import pack, unpack
from messages.examples import HEAD_INDEX, HEADS, LabelKind
from messages.features import FeatureBatch
from messages.identifiers import MISSING_KEY

EVERYBODY = ""
"""The feature of the one group that everybody is in."""

_UNIT = 1 << 30
_PROMISED = np.array(
    [
        LabelKind.OBSERVED_NEGATIVE,
        LabelKind.OBSERVED_POSITIVE,
        LabelKind.PROVISIONAL_NEGATIVE,
        LabelKind.EARLY_POSITIVE,
    ],
    dtype=np.uint8,
)
_HAPPENED = np.array(
    [LabelKind.OBSERVED_POSITIVE, LabelKind.EARLY_POSITIVE, LabelKind.LATE_POSITIVE], dtype=np.uint8
)


@dataclass(frozen=True, slots=True)
class GroupCalibration:
    """impressions: of the group that the head was asked about. promised, happened: rates of them. ratio:
    promised by happened: 1 is honest, 2 promises twice what comes; NaN where nothing came."""

    impressions: int
    promised: float
    happened: float
    ratio: float


class CalibrationTable:
    """Each impression is asked about once by head: where it is closed, or where an engagement came before.

    An engagement after that counts as happened to the same promise. features: names whose values are groups.
    """

    def __init__(self, features: Sequence[str]) -> None:
        self._features = tuple(features)
        self._sums: dict[tuple[str, int], IntArray] = {}
        """By feature and value: impressions, promises, happenings; int64 [3, heads]."""

    def add(self, labels: ByteArray, probabilities: FloatArray, features: FeatureBatch) -> None:
        """Count k joined rows. labels: LabelKind, uint8 [k, heads]. probabilities: float32 [k, heads], of
        before the rows were learned. Raises ValueError where one that counts is not in [0, 1].
        """
        promised = np.isin(labels, _PROMISED)
        asked = np.where(promised, probabilities, 0.0).astype(np.float64)
        if not ((asked >= 0) & (asked <= 1)).all():
            raise ValueError("a promise is a probability")
        units = np.rint(asked * _UNIT).astype(np.int64)
        numbers = np.stack(
            [promised.astype(np.int64), units, np.isin(labels, _HAPPENED).astype(np.int64)], axis=1
        )
        self._count(EVERYBODY, np.ones(len(labels), np.uint64), numbers)
        for name in self._features:
            if name in features.ids:
                self._count(name, features.ids[name], numbers)
            else:
                bags = features.bags[name]
                self._count(name, bags.values, numbers[np.repeat(np.arange(len(bags)), bags.lengths())])

    def groups(self, feature: str) -> list[int]:
        """Return the values seen of a feature, in order."""
        return sorted(group for name, group in self._sums if name == feature)

    def value(self, head: str, feature: str = EVERYBODY, group: int = 1) -> GroupCalibration:
        """Return one group's calibration of one head."""
        sums = self._sums.get((feature, group))
        if sums is None:
            return GroupCalibration(0, float("nan"), float("nan"), float("nan"))
        impressions, units, happened = (int(number) for number in sums[:, HEAD_INDEX[head]])
        nan = float("nan")
        return GroupCalibration(
            impressions=impressions,
            promised=units / _UNIT / impressions if impressions else nan,
            happened=happened / impressions if impressions else nan,
            ratio=units / _UNIT / happened if happened else nan,
        )

    def merge(self, other: CalibrationTable) -> None:
        """Count what another, of the same features, has counted: days add up to a month."""
        for group, sums in other._sums.items():
            self._sums[group] = self._sums.get(group, 0) + sums

    def encode(self) -> bytes:
        """Pack; equal states give equal bytes."""
        ordered = sorted(self._sums)
        return pack(
            {
                "features": list(self._features),
                "names": [name for name, _ in ordered],
                "groups": np.array([group for _, group in ordered], dtype=np.uint64),
                "sums": np.array([self._sums[group] for group in ordered], dtype=np.int64).reshape(
                    -1, 3, len(HEADS)
                ),
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> CalibrationTable:
        wire: Mapping[str, Any] = unpack(data)
        table = cls(wire["features"])
        for name, group, sums in zip(wire["names"], wire["groups"].tolist(), wire["sums"], strict=True):
            table._sums[name, group] = sums.copy()
        return table

    def _count(self, feature: str, groups: IdArray, numbers: IntArray) -> None:
        kinds, which = np.unique(groups, return_inverse=True)
        sums = np.zeros((len(kinds), *numbers.shape[1:]), dtype=np.int64)
        np.add.at(sums, which, numbers)
        for kind, added in zip(kinds.tolist(), sums, strict=True):
            if kind != MISSING_KEY:
                self._sums[feature, kind] = self._sums.get((feature, kind), 0) + added
