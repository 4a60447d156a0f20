"""The numbers that enter the network for the candidates of one request, gathered into one array.

What `model_inputs.gather_inputs` lays out, for one person beside n contents: person and moment stand there
once, and of the features that have few values in a request, the rows of each value once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numba import njit

from learners.features.content_features import duration_buckets
from learners.features.content_ids import content_language_keys, crossed, duration_bucket_keys
from learners.features.request_features import RequestFeatures
from learners.features.schema import (
    BAG_FEATURES,
    CATEGORY_SLOT,
    CONTENT_BAG_FEATURES,
    CONTENT_ID_FEATURES,
    CONTEXT_SLOT,
    ID_FEATURES,
)
from learners.key_sets import first_of_each
from learners.model_inputs import InputLayout, LookedUpRows, LookupRows, shared_rows
from learners.online_scaling import NUM_SCALED, Scaling
from messages.arrays import FloatArray, IdArray, IntArray
from messages.features import IdBags

KINDS: tuple[tuple[str, ...], ...] = (
    ("category", "surface_category"),
    ("duration_bucket", "surface_duration"),
    ("content_language",),
)
"""Content features that are functions of something of which a request has few values: category, duration in
buckets, language."""

CATEGORY_KIND = 0
_OF_KINDS = {feature for kind in KINDS for feature in kind}
_SINGLE_FEATURES = tuple(name for name in CONTENT_ID_FEATURES if name not in _OF_KINDS)
_PLAIN = Scaling(np.zeros(NUM_SCALED, np.float32), np.ones(NUM_SCALED, np.float32), np.float32(np.inf))


class CandidateRows(LookupRows, Protocol):
    """Where serving finds embedding rows, of a person and of many candidates."""

    def copy_rows(self, slot: str, ids: IdArray, into: FloatArray, column: int) -> None:
        """Write the row of each id into a row of `into`, float32 [n, w], from `column` on. ids: [n]."""
        ...

    def copy_means(self, slot: str, bags: IdBags, into: FloatArray, column: int) -> None:
        """Write the mean of each bag's rows, zeros for an empty one. bags: n of them."""
        ...


@dataclass(frozen=True, slots=True)
class RequestInputs:
    """n candidates as `RequestNetwork` takes them.

    shared: float32 [1, S], as in `ModelInputs`. own: float32 [n, W], the columns that `own_columns` names.
    kind_rows: one for each of KINDS, float32 [u, w], the rows of its features side by side for each of its u
    values. kinds: int64 [n, len(KINDS)], which value each candidate has, counted on over all kinds.
    """

    shared: FloatArray
    own: FloatArray
    kind_rows: list[FloatArray]
    kinds: IntArray


def own_columns(layout: InputLayout) -> IntArray:
    """Return which columns of `ModelInputs.own` stand in `RequestInputs.own`, in their order there."""
    rows = [layout.row_columns(feature) for feature in _SINGLE_FEATURES + CONTENT_BAG_FEATURES]
    numbers = slice(layout.row_columns(CONTENT_BAG_FEATURES[-1]).stop, layout.own_width)
    return np.concatenate([np.arange(part.start, part.stop) for part in [*rows, numbers]])


def gather_request(
    features: RequestFeatures, lookup: CandidateRows, layout: InputLayout, scaling: Scaling | None
) -> RequestInputs:
    """Look up what n candidates need. The counters must be filled in. scaling: of the model, if it scales."""
    contents, person = features.contents, features.person
    assert features.counters is not None
    scaling = scaling or _PLAIN
    elsewhere = sum(layout.dimensions[ID_FEATURES[feature]] for kind in KINDS for feature in kind)
    own = np.empty((len(features), layout.own_width - elsewhere), dtype=np.float32)
    column = 0
    for feature in _SINGLE_FEATURES:
        slot = ID_FEATURES[feature]
        lookup.copy_rows(slot, getattr(contents, f"{feature}_keys"), own, column)
        column += layout.dimensions[slot]
    for feature in CONTENT_BAG_FEATURES:
        slot = BAG_FEATURES[feature]
        lookup.copy_means(slot, getattr(contents, feature), own, column)
        column += layout.dimensions[slot]
    user_dense = np.empty_like(person.dense)
    first = 0
    for numbers, into, start in (
        (person.dense, user_dense, 0),
        (features.pair, own, column),
        (features.counters, own, column + features.pair.shape[1]),
    ):
        end = first + numbers.shape[1]
        _scale(numbers, scaling.shift[first:end], scaling.factor[first:end], scaling.bound, into, start)
        first = end
    shared = np.concatenate([*shared_rows(LookedUpRows(person, lookup)), user_dense], axis=1)
    kind_rows, kinds = _kinds(features, lookup)
    return RequestInputs(shared, own, kind_rows, kinds)


def _kinds(features: RequestFeatures, lookup: LookupRows) -> tuple[list[FloatArray], IntArray]:
    contents, surface = features.contents, features.person.ids["surface"]
    kinds = np.empty((len(features), len(KINDS)), dtype=np.int64)
    categories = _number_values(contents.category_keys, kinds[:, 0], 0)
    firsts = first_of_each(duration_buckets(contents.durations).view(np.uint64), kinds[:, 1], len(categories))
    buckets = duration_bucket_keys(contents.durations[firsts])
    languages = _number_values(contents.language_keys, kinds[:, 2], len(categories) + len(buckets))
    in_context = lookup.rows(
        CONTEXT_SLOT,
        np.concatenate(
            [
                crossed(surface, categories),
                buckets,
                crossed(surface, buckets),
                content_language_keys(languages),
            ]
        ),
    )
    ends = np.cumsum([len(categories), len(buckets), len(buckets)])
    on_category, of_bucket, on_bucket, of_language = np.split(in_context, ends)
    return [
        np.concatenate([lookup.rows(CATEGORY_SLOT, categories), on_category], axis=1),
        np.concatenate([of_bucket, on_bucket], axis=1),
        of_language,
    ], kinds


def _number_values(keys: IdArray, numbers: IntArray, first: int) -> IdArray:
    """Return the different keys, in the order in which they come, and write into `numbers` which of them each
    is, counted from `first`."""
    different: IdArray = keys[first_of_each(keys, numbers, first)]
    return different


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _scale(numbers: Any, shift: Any, factor: Any, bound: Any, into: Any, column: Any) -> None:
    """Write `Scaling.apply` of each number into the columns of `into` from `column` on; a NaN stays one."""
    for row in range(len(numbers)):
        for index in range(numbers.shape[1]):
            scaled = (numbers[row, index] - shift[index]) * factor[index]
            if scaled > bound:
                scaled = bound
            elif scaled < -bound:
                scaled = -bound
            into[row, column + index] = scaled
