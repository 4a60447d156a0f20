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
from learners.features.schema import CATEGORY_SLOT, CONTEXT_SLOT, RETRIEVAL_SLOT, USER_SLOT
from learners.key_sets import first_of_each
from learners.model_inputs import InputLayout, LookupRows, UserInputs
from learners.online_scaling import NUM_SCALED, Scaling
from learners.request_layout import KINDS, MOMENT_FEATURES, RequestLayout
from messages.arrays import FloatArray, IdArray, IntArray
from messages.features import FeatureBatch, IdBags

_PLAIN = Scaling(np.zeros(NUM_SCALED, np.float32), np.ones(NUM_SCALED, np.float32), np.float32(np.inf))
_NUM_MOMENT = len(MOMENT_FEATURES)
_SURFACE = MOMENT_FEATURES.index("surface")


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

    shared: float32 [1, S], as in `ModelInputs`. own: float32 [n, W], the columns that
    `RequestLayout.own_columns` names. kind_rows: one for each of KINDS, float32 [u, w], the rows of its
    features side by side for each of its u values. kinds: int64 [n, len(KINDS)], which value each candidate
    has, counted on over all kinds.
    """

    shared: FloatArray
    own: FloatArray
    kind_rows: list[FloatArray]
    kinds: IntArray


def gather_request(
    features: RequestFeatures, lookup: CandidateRows, layout: RequestLayout, scaling: Scaling | None
) -> RequestInputs:
    """Look up what n candidates need. The counters must be filled in. scaling: of the model, if it scales."""
    contents, person, counters = features.contents, features.person, features.counters
    assert counters is not None
    own = np.empty((len(features), layout.own_width), dtype=np.float32)
    for slot, name, column in layout.singles:
        lookup.copy_rows(slot, getattr(contents, name), own, column)
    for slot, name, column in layout.bags:
        lookup.copy_means(slot, getattr(contents, name), own, column)
    shared = np.empty((1, layout.shared_width), dtype=np.float32)
    shared[:, layout.user] = lookup.rows(USER_SLOT, person.ids["user"])
    for slot, name, column in layout.shared_bags:
        lookup.copy_means(slot, person.bags[name], shared, column)
    moment = np.concatenate([person.ids[feature] for feature in MOMENT_FEATURES])
    keys = contents.category_keys, duration_bucket_keys(contents.durations), contents.language_keys
    kinds = np.empty((len(features), len(KINDS)), dtype=np.int64)
    categories, in_context, num_buckets = _number_kinds(keys, moment, kinds)
    context_rows = lookup.rows(CONTEXT_SLOT, in_context)
    width, num_categories = context_rows.shape[1], len(categories)
    of_categories = np.empty((num_categories, layout.category_width + width), dtype=np.float32)
    lookup.copy_rows(CATEGORY_SLOT, categories, of_categories, 0)
    of_buckets = np.empty((num_buckets, 2 * width), dtype=np.float32)
    _part(context_rows, shared, layout.moment, of_categories, of_buckets)
    of_languages = context_rows[len(moment) + num_categories + 2 * num_buckets :]
    scaling = scaling or _PLAIN
    numbers, columns = (person.dense, features.pair, counters), (layout.person_numbers, layout.numbers)
    _scale(numbers, (scaling.shift, scaling.factor, scaling.bound), shared, own, columns)
    return RequestInputs(shared, own, [of_categories, of_buckets, of_languages], kinds)


def gather_tower(person: FeatureBatch, lookup: CandidateRows, layout: InputLayout) -> UserInputs:
    """Look up what `model_inputs.gather_user_inputs` does, of one person in fewer steps."""
    user, taste = layout.dimensions[USER_SLOT], layout.dimensions[CATEGORY_SLOT]
    history = np.empty((1, layout.dimensions[RETRIEVAL_SLOT]), dtype=np.float32)
    lookup.copy_means(RETRIEVAL_SLOT, person.bags["history"], history, 0)
    shared = np.empty((1, user + taste), dtype=np.float32)
    shared[:, :user] = lookup.rows(USER_SLOT, person.ids["user"])
    lookup.copy_means(CATEGORY_SLOT, person.bags["preferred_categories"], shared, user)
    return UserInputs(history[:, :-1], shared)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _number_kinds(keys: Any, moment: Any, kinds: Any) -> Any:
    """Number the different values of three columns, uint64 [n], categories, duration buckets and languages,
    into those of `kinds`, counted on from one to the next.

    Returns the categories, the keys in the context's table and the number of buckets. Those keys: the
    moment's, one of which is the surface, categories on this surface, buckets on it, buckets, languages.
    """
    of_category = first_of_each(keys[0], kinds[:, 0], 0)
    of_bucket = first_of_each(keys[1], kinds[:, 1], len(of_category))
    of_language = first_of_each(keys[2], kinds[:, 2], len(of_category) + len(of_bucket))
    num_categories, num_buckets = len(of_category), len(of_bucket)
    categories = np.empty(num_categories, dtype=np.uint64)
    first = len(moment)
    in_context = np.empty(first + num_categories + 2 * num_buckets + len(of_language), dtype=np.uint64)
    in_context[:first] = moment
    surface = moment[_SURFACE]
    for value in range(num_categories):
        categories[value] = keys[0][of_category[value]]
        in_context[first + value] = pair_key(surface, categories[value])
    first += num_categories
    for value in range(num_buckets):
        bucket = keys[1][of_bucket[value]]
        in_context[first + value] = pair_key(surface, bucket)
        in_context[first + num_buckets + value] = bucket
    first += 2 * num_buckets
    for value in range(len(of_language)):
        in_context[first + value] = pair_key(CONTENT_LANGUAGE, keys[2][of_language[value]])
    return categories, in_context, num_buckets


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _part(rows: Any, shared: Any, moment: Any, of_categories: Any, of_buckets: Any) -> None:
    """Copy rows of the context's table, in the order of `_number_kinds`, beside those that stand with them:
    the moment's, from column `moment` of `shared` on; each category's last; each bucket's twice, first those
    without the surface."""
    num_categories, num_buckets, width = len(of_categories), len(of_buckets), rows.shape[1]
    for index in range(_NUM_MOMENT):
        for column in range(width):
            shared[0, moment + index * width + column] = rows[index, column]
    first, beside = _NUM_MOMENT, of_categories.shape[1] - width
    for value in range(num_categories):
        for column in range(width):
            of_categories[value, beside + column] = rows[first + value, column]
    first += num_categories
    for value in range(num_buckets):
        for column in range(width):
            of_buckets[value, column] = rows[first + num_buckets + value, column]
            of_buckets[value, width + column] = rows[first + value, column]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _scale(numbers: Any, scaling: Any, shared: Any, own: Any, columns: Any) -> None:
    """Write `Scaling.apply` of the person's numbers into `shared`, and of the others side by side into `own`,
    from a column of each on. numbers: the person's, the pairs' and the counters. scaling: its fields."""
    of_person, of_pair, counters = numbers
    _scale_into(of_person, scaling, 0, shared, columns[0])
    _scale_into(of_pair, scaling, of_person.shape[1], own, columns[1])
    first = of_person.shape[1] + of_pair.shape[1]
    _scale_into(counters, scaling, first, own, columns[1] + of_pair.shape[1])


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _scale_into(numbers: Any, scaling: Any, first: Any, into: Any, column: Any) -> None:
    """Scale numbers of which the first is number `first` of all that are scaled; a NaN stays one."""
    width = numbers.shape[1]
    shift, factor, bound = scaling[0][first : first + width], scaling[1][first : first + width], scaling[2]
    for row in range(len(numbers)):
        given, target = numbers[row], into[row, column : column + width]
        for index in range(width):
            scaled = (given[index] - shift[index]) * factor[index]
            scaled = bound if scaled > bound else scaled  # no branches: many numbers lie at a bound
            target[index] = -bound if scaled < -bound else scaled
