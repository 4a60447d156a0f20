"""From ids to the numbers that enter the network, laid out once for numpy (serving) and torch (training).

Everything that is equal for all candidates of a request stands in `shared`, with one row: the network adds
its share of the first layer by broadcasting, so that 500 candidates cost little more than their own part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Protocol, TypeAlias

import numpy as np

from learners.features.schema import (
    BAG_FEATURES,
    CATEGORY_SLOT,
    CONTENT_BAG_FEATURES,
    CONTENT_ID_FEATURES,
    COUNTER_FEATURES,
    ID_FEATURES,
    NUM_USER_DENSE,
    PAIR_DENSE_FEATURES,
    RETRIEVAL_SLOT,
    SHARED_BAG_FEATURES,
    SHARED_ID_FEATURES,
    USER_SLOT,
)
from learners.one_request import is_one_request
from learners.online_scaling import Scaling
from messages.arrays import FloatArray, IdArray
from messages.features import FeatureBatch, IdBags

Array: TypeAlias = Any
"""numpy.ndarray in serving, torch.Tensor in training: only operations that both know are used on it."""


class Operations(Protocol):
    """The few operations that the two libraries spell differently."""

    def concatenate(self, parts: Sequence[Array]) -> Array:
        """Put columns side by side."""
        ...

    def added(self, values: Array, more: Array) -> Array:
        """Return values + more, in the shape of `values`, which may be overwritten."""
        ...

    def rectified(self, values: Array) -> Array:
        """Return max(values, 0); `values` may be overwritten."""
        ...


class NumpyOperations:
    def concatenate(self, parts: Sequence[FloatArray]) -> FloatArray:
        return np.concatenate(parts, axis=1)

    def added(self, values: FloatArray, more: FloatArray) -> FloatArray:
        return np.add(values, more, out=values)

    def rectified(self, values: FloatArray) -> FloatArray:
        return np.maximum(values, 0, out=values)


NUMPY = NumpyOperations()


class LookupRows(Protocol):
    """Where serving finds embedding rows."""

    def rows(self, slot: str, ids: IdArray) -> FloatArray:
        """Return the rows of `ids` (uint64 [m], repeats allowed), float32 [m, d]; never refuses an id."""
        ...


class Embedding(Protocol):
    """One batch's ids turned into rows; n becomes 1 for what a single request's rows share."""

    def rows(self, slot: str, features: tuple[str, ...]) -> Array:
        """Return the rows of id features of one slot side by side, [n, len(features) * d]."""
        ...

    def pooled(self, slot: str, feature: str) -> Array:
        """Return the mean of the rows of a bag feature, [n, d]; zeros for an empty bag."""
        ...


@dataclass(frozen=True, slots=True)
class ModelInputs:
    """n rows as the ranking network takes them.

    shared: [s, S], everything of person and moment; s is 1 where all rows belong to one request, else n.
    own: [n, C], everything of the content and of the pair. user, history, taste: [s, d], views of the factors
    in `shared` that meet `content` and `category`, [n, d], in products.
    """

    shared: Array
    own: Array
    user: Array
    history: Array
    taste: Array
    content: Array
    category: Array


@dataclass(frozen=True, slots=True)
class UserInputs:
    """What the user tower takes. history: [s, R], mean retrieval row. shared: [s, U], user row and taste."""

    history: Array
    shared: Array


class InputLayout:
    """Where each row stands in `shared` and `own`. Every row is its vector, then its bias as last column.

    dimensions: columns of every slot, the bias included.
    """

    def __init__(self, dimensions: Mapping[str, int]) -> None:
        self.dimensions = dimensions
        self._places: dict[str, int] = {}
        shared_end = self._place(SHARED_ID_FEATURES, SHARED_BAG_FEATURES)
        own_end = self._place(CONTENT_ID_FEATURES, CONTENT_BAG_FEATURES)
        self.shared_width = shared_end + NUM_USER_DENSE
        self.own_width = own_end + len(PAIR_DENSE_FEATURES) + len(COUNTER_FEATURES)

    def _place(self, id_features: tuple[str, ...], bag_features: tuple[str, ...]) -> int:
        end = 0
        for feature in id_features + bag_features:
            self._places[feature] = end
            end += self.dimensions[slot_of(feature)]
        return end

    def row_columns(self, feature: str) -> slice:
        """Return the columns of a feature's row, its bias included."""
        start = self._places[feature]
        return slice(start, start + self.dimensions[slot_of(feature)])

    def vector_columns(self, feature: str) -> slice:
        """Return the columns of a feature's vector, its bias left out."""
        start = self._places[feature]
        return slice(start, start + self.dimensions[slot_of(feature)] - 1)

    def bias_columns(self, features: tuple[str, ...]) -> list[int]:
        return [self.vector_columns(feature).stop for feature in features]


def slot_of(feature: str) -> str:
    """Return the table in which a feature's ids are looked up."""
    return ID_FEATURES[feature] if feature in ID_FEATURES else BAG_FEATURES[feature]


def lay_out(
    dense: Array, counters: Array, embedding: Embedding, layout: InputLayout, operations: Operations
) -> ModelInputs:
    """Put rows and numbers in their places. dense: [n, D]. counters: [n, C]."""
    rows = shared_rows(embedding)
    shared = operations.concatenate([*rows, dense[: len(rows[0]), :NUM_USER_DENSE]])
    own_rows = _rows(embedding, CONTENT_ID_FEATURES, CONTENT_BAG_FEATURES)
    own = operations.concatenate([*own_rows, dense[:, NUM_USER_DENSE:], counters])
    return network_inputs(shared, own, layout)


def network_inputs(shared: Array, own: Array, layout: InputLayout) -> ModelInputs:
    """Name the parts that enter products. shared: [s, S]. own: [n, C]."""
    return ModelInputs(
        shared=shared,
        own=own,
        user=shared[:, layout.vector_columns("user")],
        history=shared[:, layout.vector_columns("history")],
        taste=shared[:, layout.vector_columns("preferred_categories")],
        content=own[:, layout.vector_columns("content")],
        category=own[:, layout.vector_columns("category")],
    )


def lay_out_user(embedding: Embedding, operations: Operations) -> UserInputs:
    """Put the user tower's inputs in their places."""
    history = embedding.pooled(RETRIEVAL_SLOT, "history")
    user = embedding.rows(USER_SLOT, ("user",))
    taste = embedding.pooled(CATEGORY_SLOT, "preferred_categories")
    return UserInputs(history=history[:, :-1], shared=operations.concatenate([user, taste]))


def shared_rows(embedding: Embedding) -> list[Array]:
    """Look up the rows that stand in `shared`, side by side, [s, ...] each."""
    return _rows(embedding, SHARED_ID_FEATURES, SHARED_BAG_FEATURES)


def _rows(embedding: Embedding, id_features: tuple[str, ...], bag_features: tuple[str, ...]) -> list[Array]:
    """Look up features in their order, those that stand together in one slot by one look-up."""
    by_slot = [
        embedding.rows(slot, tuple(features))
        for slot, features in groupby(id_features, ID_FEATURES.__getitem__)
    ]
    return by_slot + [embedding.pooled(BAG_FEATURES[feature], feature) for feature in bag_features]


class LookedUpRows:
    """`Embedding` over a replica's rows, in numpy; ids shared by a request are looked up once."""

    def __init__(self, features: FeatureBatch, lookup: LookupRows) -> None:
        self._features = features
        self._lookup = lookup
        self._one_request = is_one_request(features)

    def rows(self, slot: str, features: tuple[str, ...]) -> FloatArray:
        columns = [self._features.ids[feature] for feature in features]
        if self._one_request and features[0] in SHARED_ID_FEATURES:
            columns = [ids[:1] for ids in columns]
        ids = np.stack(columns, axis=1)
        return self._lookup.rows(slot, ids.ravel()).reshape(len(ids), -1)

    def pooled(self, slot: str, feature: str) -> FloatArray:
        bags = self._features.bags[feature]
        if self._one_request and feature in SHARED_BAG_FEATURES:
            bags = IdBags(bags.values[: bags.offsets[1]], bags.offsets[:2])
        return mean_pooled(self._lookup.rows(slot, bags.values), bags)


def gather_inputs(
    features: FeatureBatch, lookup: LookupRows, layout: InputLayout, scaling: Scaling | None = None
) -> ModelInputs:
    """Look up the rows of n candidates and lay them out, in numpy. The counters must be filled in.

    scaling: of the model, `scaling_of` its weights; None for one that scales nothing.
    """
    assert features.counters is not None
    dense, counters = features.dense, features.counters
    if scaling is not None:
        dense, counters = scaling.apply(dense, counters)
    return lay_out(dense, counters, LookedUpRows(features, lookup), layout, NUMPY)


def gather_user_inputs(features: FeatureBatch, lookup: LookupRows) -> UserInputs:
    """Look up what the user tower needs, in numpy; `assemble_tower` gives the features."""
    return lay_out_user(LookedUpRows(features, lookup), NUMPY)


def mean_pooled(rows: FloatArray, bags: IdBags) -> FloatArray:
    """Return the mean row of each bag, float32 [n, d]; zeros for an empty one. rows: float32 [m, d]."""
    lengths = bags.lengths()
    pooled = np.zeros((len(bags), rows.shape[1]), dtype=np.float32)
    filled = lengths > 0
    if filled.any():
        sums = np.add.reduceat(rows, bags.offsets[:-1][filled], axis=0)
        pooled[filled] = sums / lengths[filled, None].astype(np.float32)
    return pooled
