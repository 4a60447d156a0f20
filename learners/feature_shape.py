"""Which features an impression must bring: others would break every batch that they are put in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from learners.features.schema import (
    BAG_FEATURES,
    COUNTER_FEATURES,
    DENSE_FEATURES,
    ID_FEATURES,
    SERVED_LAYOUT,
)
from messages.events import InvalidEventError
from messages.features import FeatureBatch
from messages.impressions import ServedFeatures
from messages.slate_features import SlateFeatures, SlateLayout

_KEYS = np.dtype(np.uint64)
_OFFSETS = np.dtype(np.int64)
_FLOATS = np.dtype(np.float32)


@dataclass(frozen=True, slots=True)
class FeatureShape:
    """Names of id and bag features, and the widths of the dense and the counter block. layout: of
    slates that keep the person's part once; None where those are foreign."""

    ids: frozenset[str]
    bags: frozenset[str]
    num_dense: int
    num_counters: int
    layout: SlateLayout | None = None

    def check(self, features: ServedFeatures, num_contents: int) -> None:
        """Raises InvalidEventError naming what does not fit: an impression by another version, or a foreign
        one."""
        if isinstance(features, SlateFeatures):
            self._check_slate(features, num_contents)
        else:
            self._check_rows(features, num_contents)

    def _check_slate(self, features: SlateFeatures, num_contents: int) -> None:
        layout, ends = features.layout, features.bag_ends
        if layout is not self.layout and layout != self.layout:
            raise InvalidEventError(
                "features.layout", f"not the features of this version: {layout.to_wire()}"
            )
        whole = isinstance(ends, list) and all(type(end) is int for end in ends)
        if not whole or len(ends) != len(layout.person_bags) or [0, *ends] != sorted([0, *ends]):
            raise InvalidEventError("features.bag_ends", f"must rise, {len(layout.person_bags)} of them")
        num_keys = len(layout.person_ids) + ends[-1] + num_contents * len(layout.content_ids)
        num_numbers = layout.num_person + num_contents * layout.num_of_content
        check_column("features.keys", features.keys, _KEYS, (num_keys,))
        check_column("features.numbers", features.numbers, _FLOATS, (num_numbers,))

    def _check_rows(self, features: FeatureBatch, num_contents: int) -> None:
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
    frozenset(ID_FEATURES),
    frozenset(BAG_FEATURES),
    len(DENSE_FEATURES),
    len(COUNTER_FEATURES),
    SERVED_LAYOUT,
)


def check_column(name: str, column: object, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    """Raises InvalidEventError where a column is not an array of this dtype and shape."""
    if not isinstance(column, np.ndarray) or column.dtype != dtype or column.shape != shape:
        raise InvalidEventError(name, f"must be {dtype.name} {list(shape)}")
