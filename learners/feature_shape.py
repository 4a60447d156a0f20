"""Which features an impression must bring: others would break every batch that they are put in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from learners.features.schema import BAG_FEATURES, COUNTER_FEATURES, DENSE_FEATURES, ID_FEATURES
from messages.events import InvalidEventError
from messages.features import FeatureBatch

_KEYS = np.dtype(np.uint64)
_OFFSETS = np.dtype(np.int64)
_FLOATS = np.dtype(np.float32)


@dataclass(frozen=True, slots=True)
class FeatureShape:
    """Names of id and bag features, and the widths of the dense and the counter block."""

    ids: frozenset[str]
    bags: frozenset[str]
    num_dense: int
    num_counters: int

    def check(self, features: FeatureBatch, num_contents: int) -> None:
        """Raises InvalidEventError naming what does not fit: an impression by another version, or a foreign
        one."""
        for name, found, expected in (
            ("features.ids", features.ids.keys(), self.ids),
            ("features.bags", features.bags.keys(), self.bags),
        ):
            if found != expected:
                raise InvalidEventError(
                    name, f"not the features of this version: {sorted(map(str, found ^ expected))}"
                )
        for name, keys in features.ids.items():
            check_column(f"features.ids.{name}", keys, _KEYS, (num_contents,))
        for name, bags in features.bags.items():
            check_column(f"features.bags.{name}", bags.values, _KEYS, (len(bags.values),))
            check_column(f"features.bags.{name}", bags.offsets, _OFFSETS, (num_contents + 1,))
        check_column("features.dense", features.dense, _FLOATS, (num_contents, self.num_dense))
        check_column("features.counters", features.counters, _FLOATS, (num_contents, self.num_counters))


SERVED_SHAPE = FeatureShape(
    frozenset(ID_FEATURES), frozenset(BAG_FEATURES), len(DENSE_FEATURES), len(COUNTER_FEATURES)
)


def check_column(name: str, column: object, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    """Raises InvalidEventError where a column is not an array of this dtype and shape."""
    if not isinstance(column, np.ndarray) or column.dtype != dtype or column.shape != shape:
        raise InvalidEventError(name, f"must be {dtype.name} {list(shape)}")
