"""A batch's pulled rows laid out for the network, and the network's gradients taken back to the rows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from learners.features.schema import (
    BAG_FEATURES,
    CATEGORY_SLOT,
    CONTENT_BAG_FEATURES,
    CONTENT_ID_FEATURES,
    RETRIEVAL_SLOT,
    SHARED_BAG_FEATURES,
    SHARED_ID_FEATURES,
    USER_SLOT,
)
from learners.model_inputs import InputLayout, mean_pooled, slot_of
from learners.training_plan import SlotPlan
from messages.arrays import FloatArray, IntArray
from messages.features import FeatureBatch, IdBags


class PulledRows:
    """`Embedding` over pulled rows, in numpy. values: per slot, float32 [m, d], in the order of the plan."""

    def __init__(
        self, plan: Mapping[str, SlotPlan], values: Mapping[str, FloatArray], features: FeatureBatch
    ) -> None:
        self._plan = plan
        self._values = values
        self._features = features

    def rows(self, slot: str, features: tuple[str, ...]) -> FloatArray:
        places = np.stack([self._plan[slot].places[feature] for feature in features], axis=1)
        return self._values[slot].take(places.ravel(), axis=0).reshape(len(places), -1)

    def pooled(self, slot: str, feature: str) -> FloatArray:
        rows = self._values[slot].take(self._plan[slot].places[feature], axis=0)
        return mean_pooled(rows, self._features.bags[feature])


class RowGradientSums:
    """Gathers what the inputs' gradients say of each row: the reverse of `PulledRows` and of `lay_out`.

    A sum is made once per slot, by sorting, since numpy's unbuffered `add.at` costs ten times as much.
    """

    def __init__(
        self, plan: Mapping[str, SlotPlan], features: FeatureBatch, dimensions: Mapping[str, int]
    ) -> None:
        self._plan = plan
        self._features = features
        self._dimensions = dimensions
        self._parts: dict[str, list[tuple[IntArray, FloatArray]]] = {slot: [] for slot in plan}

    def add_inputs(self, shared: FloatArray, own: FloatArray, layout: InputLayout) -> None:
        """Add the gradients of what `lay_out` made, [n, S] and [n, C]."""
        for columns, id_features, bag_features in (
            (shared, SHARED_ID_FEATURES, SHARED_BAG_FEATURES),
            (own, CONTENT_ID_FEATURES, CONTENT_BAG_FEATURES),
        ):
            for feature in id_features:
                self.add_rows(slot_of(feature), feature, columns[:, layout.row_columns(feature)])
            for feature in bag_features:
                self.add_pooled(BAG_FEATURES[feature], feature, columns[:, layout.row_columns(feature)])

    def add_user_inputs(self, history: FloatArray, shared: FloatArray, rows: IntArray) -> None:
        """Add the gradients of what `lay_out_user` made, of these rows of the batch only."""
        user_width = self._dimensions[USER_SLOT]
        with_bias = np.concatenate([history, np.zeros((len(history), 1), dtype=np.float32)], axis=1)
        self.add_pooled(RETRIEVAL_SLOT, "history", with_bias, rows)
        self.add_rows(USER_SLOT, "user", shared[:, :user_width], rows)
        self.add_pooled(CATEGORY_SLOT, "preferred_categories", shared[:, user_width:], rows)

    def add_rows(self, slot: str, feature: str, gradients: FloatArray, rows: IntArray | None = None) -> None:
        """Add gradients of an id feature, [n, d]; rows: of the batch, all where None."""
        places = self._plan[slot].places[feature]
        self._parts[slot].append((places if rows is None else places[rows], gradients))

    def add_pooled(
        self, slot: str, feature: str, gradients: FloatArray, rows: IntArray | None = None
    ) -> None:
        """Add gradients of a bag's mean, [n, d]: each of its rows gets an equal share."""
        bags = IdBags(self._plan[slot].places[feature], self._features.bags[feature].offsets)  # type: ignore[arg-type]
        if rows is not None:
            bags = bags.take(rows)
        lengths = bags.lengths()
        shares = gradients / np.maximum(lengths, 1)[:, None].astype(np.float32)
        self._parts[slot].append((bags.values, np.repeat(shares, lengths, axis=0)))  # type: ignore[arg-type]

    def sums(self) -> dict[str, FloatArray]:
        """Return the summed gradient of every row of the plan, float32 [m, d] per slot."""
        return {
            slot: _summed(parts, len(self._plan[slot].ids), self._dimensions[slot])
            for slot, parts in self._parts.items()
        }


def _summed(parts: list[tuple[IntArray, FloatArray]], num_rows: int, dimension: int) -> FloatArray:
    sums = np.zeros((num_rows, dimension), dtype=np.float32)
    if not parts:
        return sums
    places = np.concatenate([places for places, _ in parts])
    if len(places) == 0:
        return sums
    gradients = np.concatenate([gradients for _, gradients in parts])
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    sums[ordered[starts]] = np.add.reduceat(gradients[order], starts, axis=0)
    return sums
