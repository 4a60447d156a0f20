"""The features of one person beside n contents, the person's own part once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import numpy as np
from numba import njit

from learners.features.content_ids import CONTENT_LANGUAGE, bucket_key, duration_logarithms, pair_key
from learners.features.schema import SERVED_LAYOUT
from learners.features.slate_rows import rows_of_slates
from learners.kernel_arrays import kernel_array
from messages.arrays import FloatArray, IntArray
from messages.content import ContentColumns
from messages.features import FeatureBatch
from messages.slate_features import SlateFeatures

_WITHOUT_COUNTERS = replace(SERVED_LAYOUT, num_counters=0)
_NO_COUNTERS: FloatArray = np.empty((0, 0), dtype=np.float32)
_NUM_DERIVED = len(SERVED_LAYOUT.content_ids)
"""Duration bucket, language, and category and bucket crossed with the surface, made here in this order."""


@dataclass(frozen=True, slots=True)
class RequestFeatures:
    """person: one row of what person and moment give alone, `dense` with NUM_USER_DENSE columns. contents:
    names are not read. pair: float32 [n, P], the columns of PAIR_DENSE_FEATURES. counters: float32 [n, C], or
    None in a replay."""

    person: FeatureBatch
    contents: ContentColumns
    pair: FloatArray
    counters: FloatArray | None

    def __len__(self) -> int:
        return len(self.pair)

    def take(self, rows: IntArray) -> SlateFeatures:
        """Return some contents' features as impressions log them, without the contents' facts. rows: int64
        [k]."""
        person = self.person
        layout = SERVED_LAYOUT if self.counters is not None else _WITHOUT_COUNTERS
        ids = [person.ids[name] for name in layout.person_ids]
        bags = [person.bags[name].values for name in layout.person_bags]
        durations = self.contents.durations[rows]
        keys, numbers = _pack(
            np.concatenate([*ids, *bags]),
            person.ids["surface"][0],
            kernel_array(self.contents.category_keys, np.uint64),
            kernel_array(self.contents.language_keys, np.uint64),
            durations,
            duration_logarithms(durations),
            kernel_array(rows, np.int64),
            kernel_array(person.dense[0], np.float32),
            kernel_array(self.pair, np.float32),
            kernel_array(_NO_COUNTERS if self.counters is None else self.counters, np.float32),
        )
        return SlateFeatures(layout, list(accumulate(map(len, bags))), keys, numbers)

    def whole_rows(self) -> FeatureBatch:
        """Return the features of all n contents as rows of their own."""
        every = np.arange(len(self))
        return rows_of_slates([self.take(every)], [self.contents], np.zeros_like(every), every)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _pack(
    shared: Any,
    surface: Any,
    categories: Any,
    languages: Any,
    durations: Any,
    logarithms: Any,
    rows: Any,
    person: Any,
    pair: Any,
    counters: Any,
) -> Any:
    """Return keys and numbers of `SlateFeatures`. shared: the person's keys. durations, logarithms: of the
    contents in `rows`, in that order; the other columns: of all. person: the person's numbers."""
    count, first, width = len(rows), len(shared), len(person)
    num_pair, num_counters = pair.shape[1], counters.shape[1]
    keys = np.empty(first + _NUM_DERIVED * count, dtype=np.uint64)
    numbers = np.empty(width + count * (num_pair + num_counters), dtype=np.float32)
    keys[:first] = shared
    numbers[:width] = person
    at = width
    for place in range(count):
        row = rows[place]
        bucket = bucket_key(durations[place], logarithms[place])
        keys[first + place] = bucket
        keys[first + count + place] = pair_key(CONTENT_LANGUAGE, languages[row])
        keys[first + 2 * count + place] = pair_key(surface, categories[row])
        keys[first + 3 * count + place] = pair_key(surface, bucket)
        for column in range(num_pair):
            numbers[at + column] = pair[row, column]
        at += num_pair
        for column in range(num_counters):
            numbers[at + column] = counters[row, column]
        at += num_counters
    return keys, numbers
