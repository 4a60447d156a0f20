"""The greedy step of a determinantal point process, compiled: it runs for every place of every slate."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from learners.key_sets import first_of_each
from messages.arrays import DoubleArray, FloatArray, IdArray, IntArray
from messages.identifiers import MISSING_KEY

_SMALLEST_GAIN = 1e-9


def greedy_slate(
    rewards: DoubleArray,
    vectors: FloatArray,
    num_axes: int,
    creators: IdArray,
    categories: IdArray,
    *,
    same_category: float,
    variety: float,
    repeat_cost: float,
    max_per_creator: int,
    count: int,
) -> IntArray:
    """Compose a slate: at each place what adds most to sum of rewards + variety * log det of likenesses
    - repeat_cost * pairs of one category.

    rewards: float64 [w]. vectors: float32 [w, d], of any length, of which the first `num_axes` columns are
    compared. creators, categories: keys, uint64 [w], MISSING_KEY for none known. Likeness of two contents:
    (1 - same_category) * cosine, and same_category more where they are of one category; of a content and
    itself 1. variety, repeat_cost: at least 0. A creator at the cap (0 for none) waits until nobody else has
    anything left. Returns positions, int64 [count], count <= w, in the order of choice.
    Incremental Cholesky (Chen et al., NeurIPS 2018, arXiv 1709.05135): O(count * w * (count + d)), since only
    what is placed is compared with the others.
    """
    placed: IntArray = _compose(
        rewards,
        vectors,
        num_axes,
        creators,
        categories,
        same_category,
        variety,
        repeat_cost,
        max_per_creator,
        count,
    )
    return placed


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _groups_of(keys: Any) -> Any:
    """Return a number from 0 for each different key, -1 for MISSING_KEY, int64 [w]."""
    numbers = np.empty(len(keys), dtype=np.int64)
    first_of_each(keys, numbers, 0)
    for index in range(len(keys)):
        if keys[index] == MISSING_KEY:
            numbers[index] = -1
    return numbers


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _unit_columns(vectors: Any, num_axes: Any) -> Any:
    """Return vectors of length one as columns, float32 [d, w], which the comparisons walk along."""
    columns = np.empty((num_axes, len(vectors)), dtype=np.float32)
    for index in range(len(vectors)):
        for axis in range(num_axes):
            columns[axis, index] = vectors[index, axis]
    squares = np.zeros(len(vectors), dtype=np.float32)
    for axis in range(num_axes):
        for index in range(len(vectors)):
            squares[index] += columns[axis, index] * columns[axis, index]
    lengths = np.sqrt(squares) + np.float32(1e-12)
    for axis in range(num_axes):
        for index in range(len(vectors)):
            columns[axis, index] /= lengths[index]
    return columns


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _compose(
    rewards: Any,
    vectors: Any,
    num_axes: Any,
    creator_keys: Any,
    category_keys: Any,
    same_category: Any,
    variety: Any,
    repeat_cost: Any,
    max_per_creator: Any,
    count: Any,
) -> Any:
    size = len(rewards)
    columns = _unit_columns(vectors, num_axes)
    creators, categories = _groups_of(creator_keys), _groups_of(category_keys)
    cosines = np.empty(size, dtype=np.float32)
    shared = np.empty(size)  # of each content with the one placed last
    gains = np.ones(size)  # the part of each content that what is placed does not say already
    factors = np.zeros((count, size))
    free = np.ones(size, dtype=np.bool_)
    shown = np.zeros(size, dtype=np.int64)  # by creator
    repeated = np.zeros(size, dtype=np.int64)  # by category
    capped = max_per_creator > 0
    placed = np.empty(count, dtype=np.int64)
    for place in range(count):
        best, most = -1, -np.inf
        while best < 0:
            for index in range(size):
                creator = creators[index]
                if not free[index] or (capped and creator >= 0 and shown[creator] >= max_per_creator):
                    continue
                cost = repeat_cost * repeated[categories[index]] if categories[index] >= 0 else 0.0
                if best >= 0 and rewards[index] - cost <= most:
                    continue  # a gain is 1 at most and its logarithm 0: this one needs no working out
                worth = rewards[index] + variety * np.log(max(gains[index], _SMALLEST_GAIN)) - cost
                if best < 0 or worth > most:
                    best, most = index, worth
            if best < 0:
                capped = False  # only creators at the cap are left: they come in again
        placed[place] = best
        free[best] = False
        if creators[best] >= 0:
            shown[creators[best]] += 1
        if categories[best] >= 0:
            repeated[categories[best]] += 1
        pivot = np.sqrt(max(gains[best], _SMALLEST_GAIN))
        cosines[:] = 0
        for axis in range(len(columns)):
            for index in range(size):
                cosines[index] += columns[axis, best] * columns[axis, index]
        for index in range(size):
            shared[index] = (1 - same_category) * cosines[index]
            if categories[index] >= 0 and categories[index] == categories[best]:
                shared[index] += same_category
        shared[best] = 1.0
        for before in range(place):
            factor = factors[before, best]
            for index in range(size):
                shared[index] -= factor * factors[before, index]
        for index in range(size):
            factors[place, index] = shared[index] / pivot
            gains[index] -= factors[place, index] ** 2
    return placed
