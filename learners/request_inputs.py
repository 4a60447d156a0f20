"""The numbers that enter the network for the candidates of one request, gathered into one array.

What `model_inputs.gather_inputs` lays out, for one person beside n contents: person and moment stand there
once, and of the features that have few values in a request, the rows of each value once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numba import njit

from learners.features.content_ids import CONTENT_LANGUAGE, duration_bucket_keys, pair_key
from learners.features.request_features import RequestFeatures
from learners.features.schema import (
    BAG_FEATURES,
    CATEGORY_SLOT,
    CONTENT_BAG_FEATURES,
    CONTENT_ID_FEATURES,
    CONTEXT_SLOT,
    ID_FEATURES,
    RETRIEVAL_SLOT,
    SHARED_BAG_FEATURES,
    SHARED_ID_FEATURES,
    USER_SLOT,
)
from learners.key_sets import first_of_each
from learners.model_inputs import InputLayout, LookupRows, UserInputs
from learners.online_scaling import NUM_SCALED, Scaling
from messages.arrays import FloatArray, IdArray, IntArray
from messages.features import FeatureBatch, IdBags

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
_MOMENT_FEATURES = tuple(name for name in SHARED_ID_FEATURES if ID_FEATURES[name] == CONTEXT_SLOT)
"""They stand side by side, so one look-up fills the columns of all."""
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
    shared = _shared(person, lookup, layout)
    first = 0
    for numbers, into, start in (
        (person.dense, shared, layout.shared_width - person.dense.shape[1]),
        (features.pair, own, column),
        (features.counters, own, column + features.pair.shape[1]),
    ):
        end = first + numbers.shape[1]
        _scale(numbers, scaling.shift[first:end], scaling.factor[first:end], scaling.bound, into, start)
        first = end
    return RequestInputs(shared, own, *_kinds(features, lookup, layout))


def gather_tower(person: FeatureBatch, lookup: CandidateRows, layout: InputLayout) -> UserInputs:
    """Look up what `model_inputs.gather_user_inputs` does, of one person in fewer steps."""
    user, taste = layout.dimensions[USER_SLOT], layout.dimensions[CATEGORY_SLOT]
    history = np.empty((1, layout.dimensions[RETRIEVAL_SLOT]), dtype=np.float32)
    lookup.copy_means(RETRIEVAL_SLOT, person.bags["history"], history, 0)
    shared = np.empty((1, user + taste), dtype=np.float32)
    shared[:, :user] = lookup.rows(USER_SLOT, person.ids["user"])
    lookup.copy_means(CATEGORY_SLOT, person.bags["preferred_categories"], shared, user)
    return UserInputs(history[:, :-1], shared)


def _shared(person: FeatureBatch, lookup: CandidateRows, layout: InputLayout) -> FloatArray:
    """Look up the person's and the moment's rows, side by side in float32 [1, S]; room for the numbers comes
    last."""
    shared = np.empty((1, layout.shared_width), dtype=np.float32)
    shared[:, layout.row_columns("user")] = lookup.rows(USER_SLOT, person.ids["user"])
    first, last = (layout.row_columns(_MOMENT_FEATURES[place]) for place in (0, -1))
    moment = shared[0, first.start : last.stop].reshape(len(_MOMENT_FEATURES), -1)
    ids = np.concatenate([person.ids[feature] for feature in _MOMENT_FEATURES])
    lookup.copy_rows(CONTEXT_SLOT, ids, moment, 0)
    for feature in SHARED_BAG_FEATURES:
        column = layout.row_columns(feature).start
        lookup.copy_means(BAG_FEATURES[feature], person.bags[feature], shared, column)
    return shared


def _kinds(
    features: RequestFeatures, lookup: CandidateRows, layout: InputLayout
) -> tuple[list[FloatArray], IntArray]:
    contents = features.contents
    kinds = np.empty((len(features), len(KINDS)), dtype=np.int64)
    keys = (contents.category_keys, duration_bucket_keys(contents.durations), contents.language_keys)
    categories, in_context, num_buckets = _number_kinds(keys, features.person.ids["surface"][0], kinds)
    rows = lookup.rows(CONTEXT_SLOT, in_context)
    width, num_categories = rows.shape[1], len(categories)
    num_on_surface = num_categories + num_buckets
    category_width = layout.dimensions[CATEGORY_SLOT]
    category_rows = np.empty((num_categories, category_width + width), dtype=np.float32)
    lookup.copy_rows(CATEGORY_SLOT, categories, category_rows, 0)
    category_rows[:, category_width:] = rows[:num_categories]
    bucket_rows = np.empty((num_buckets, 2 * width), dtype=np.float32)
    bucket_rows[:, :width] = rows[num_on_surface : num_on_surface + num_buckets]
    bucket_rows[:, width:] = rows[num_categories:num_on_surface]
    return [category_rows, bucket_rows, rows[num_on_surface + num_buckets :]], kinds


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _number_kinds(keys: Any, surface: Any, kinds: Any) -> Any:
    """Number the different values of three columns, uint64 [n], categories, duration buckets and languages,
    into those of `kinds`, counted on from one to the next.

    Returns the categories, the keys in the context's table and the number of buckets. Those keys: categories
    on this surface, buckets on it, buckets, languages.
    """
    of_category = first_of_each(keys[0], kinds[:, 0], 0)
    of_bucket = first_of_each(keys[1], kinds[:, 1], len(of_category))
    of_language = first_of_each(keys[2], kinds[:, 2], len(of_category) + len(of_bucket))
    num_categories, num_buckets = len(of_category), len(of_bucket)
    categories = np.empty(num_categories, dtype=np.uint64)
    in_context = np.empty(num_categories + 2 * num_buckets + len(of_language), dtype=np.uint64)
    for value in range(num_categories):
        categories[value] = keys[0][of_category[value]]
        in_context[value] = pair_key(surface, categories[value])
    for value in range(num_buckets):
        bucket = keys[1][of_bucket[value]]
        in_context[num_categories + value] = pair_key(surface, bucket)
        in_context[num_categories + num_buckets + value] = bucket
    for value in range(len(of_language)):
        language = pair_key(CONTENT_LANGUAGE, keys[2][of_language[value]])
        in_context[num_categories + 2 * num_buckets + value] = language
    return categories, in_context, num_buckets


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _scale(numbers: Any, shift: Any, factor: Any, bound: Any, into: Any, column: Any) -> None:
    """Write `Scaling.apply` of each number into the columns of `into` from `column` on; a NaN stays one."""
    width = numbers.shape[1]
    for row in range(len(numbers)):
        given, target = numbers[row], into[row, column : column + width]
        for index in range(width):
            scaled = (given[index] - shift[index]) * factor[index]
            if scaled > bound:
                scaled = bound
            elif scaled < -bound:
                scaled = -bound
            target[index] = scaled
