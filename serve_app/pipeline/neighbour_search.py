"""The steps of a search for people of a like taste, compiled: a request compares thousands of ratings."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from messages.arrays import FloatArray

_OVERLAP_DAMPING = 3.0
"""Contents in common that similarity has to prove itself against (Herlocker et al., SIGIR 1999, 5.2)."""

_DAMPING = 5.0
"""Ratings at the mean that a bias has beside its own: few ratings make no bias (Koren, KDD 2008, 2.1)."""


def own_bias(ratings: FloatArray, mean: float) -> float:
    """Return how far a person's ratings, float32 [n], lie from the mean of all."""
    return float((ratings - mean).sum()) / (len(ratings) + _DAMPING)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def predictions(
    own: Any,
    met: Any,
    max_compared: Any,
    num_neighbours: Any,
    people: Any,
    contents: Any,
    usual: Any,
    room: Any,
) -> Any:
    """Return what the nearest of those who are met rate above their own means: row numbers of contents, int64
    [n], and the ratings predicted, float64 [n].

    own: the slot of the person who asks, row numbers of what they rate, -1 for unknown contents, and their
    ratings. met: slots, int64 [m]. people: by slot, row numbers of what they rate, their ratings, how many,
    their mean, and their norm. contents: by row number, the sum and the number of ratings; and the mean of
    all. usual: what is predicted without neighbours. room: as `nearest` and `raised` need it.
    """
    own_slot, own_rows, own_values = own
    rows, values, counts, means, norms = people
    totals, num_ratings, mean = contents
    own_of_row, pull_of_row = room
    slots = most_met(met, own_slot, len(counts), max_compared)
    slots, weights = nearest(
        slots, own_rows, own_values, (rows, values, counts, norms), own_of_row, num_neighbours
    )
    found, pulls = raised(slots, weights / weights.sum(), (rows, values, counts, means), pull_of_row)
    for index, row in enumerate(found):
        bias = (totals[row] - mean * num_ratings[row]) / (num_ratings[row] + _DAMPING)
        pulls[index] += usual + bias
    return found, pulls


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def most_met(met: Any, own: Any, num_slots: Any, count: Any) -> Any:
    """Return the slots that are met most often, int64 [up to count]: by how often where there are more, in
    order where not, and those met as often in order. met: int64 [m], below num_slots; own: one left out."""
    times = np.zeros(num_slots, dtype=np.int64)
    for slot in met:
        times[slot] += slot != own
    as_often = np.zeros(len(met) + 1, dtype=np.int64)
    for slot in range(num_slots):
        as_often[times[slot]] += 1
    num_met = num_slots - as_often[0]
    places = np.zeros(len(met) + 1, dtype=np.int64)  # of the next slot that is met so often
    if num_met > count:
        for often in range(len(met) - 1, 0, -1):
            places[often] = places[often + 1] + as_often[often + 1]
    slots = np.empty(min(num_met, count), dtype=np.int64)
    num_before = 0
    for slot in range(num_slots):
        often = times[slot]
        if often:
            place = places[often] if num_met > count else num_before
            places[often] += 1
            num_before += 1
            if place < count:
                slots[place] = slot
    return slots


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def nearest(slots: Any, own_rows: Any, own_values: Any, people: Any, own_of_row: Any, count: Any) -> Any:
    """Return up to `count` of the slots whose similarity is above 0, the most alike first, ties in order; and
    their similarities, float64.

    people: row numbers of contents, their ratings, how many of them, and their norm, by slot. own_of_row: the
    own rating by row number, float32, -1 everywhere before and after.
    """
    rows, values, counts, norms = people
    squares = np.float32(0)
    for index in range(len(own_rows)):
        squares += own_values[index] * own_values[index]
        if own_rows[index] >= 0:
            own_of_row[own_rows[index]] = own_values[index]
    own_norm = np.sqrt(squares)
    best, similarities, num = np.empty(count, dtype=np.int64), np.empty(count), 0
    for slot in slots:
        product, overlap = np.float32(0), 0
        for place in range(counts[slot]):
            own = own_of_row[rows[slot, place]]
            if own >= 0:
                product += own * values[slot, place]
                overlap += 1
        similarity = product / max(norms[slot] * own_norm, 1e-12) * overlap / (overlap + _OVERLAP_DAMPING)
        if similarity > 0 and (num < count or similarity > similarities[num - 1]):
            place = min(num, count - 1)
            while place > 0 and similarities[place - 1] < similarity:
                best[place], similarities[place] = best[place - 1], similarities[place - 1]
                place -= 1
            best[place], similarities[place] = slot, similarity
            num = min(num + 1, count)
    for row in own_rows:
        if row >= 0:
            own_of_row[row] = np.float32(-1)
    return best[:num], similarities[:num]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def raised(slots: Any, weights: Any, people: Any, pull_of_row: Any) -> Any:
    """Return the contents that people rate above their own means by weight, and by how much: row numbers,
    int64 [n], and float64 [n].

    people: row numbers of contents, their ratings, how many of them, and their mean, by slot. pull_of_row:
    float64, 0 everywhere before and after.
    """
    rows, values, counts, means = people
    met, num_met = np.empty(len(slots) * rows.shape[1], dtype=np.int64), 0
    for index, slot in enumerate(slots):
        for place in range(counts[slot]):
            met[num_met] = rows[slot, place]
            num_met += 1
            pull_of_row[rows[slot, place]] += (values[slot, place] - means[slot]) * weights[index]
    pulls, num = np.empty(num_met), 0
    for row in met[:num_met]:
        if pull_of_row[row] > 0:
            met[num], pulls[num] = row, pull_of_row[row]
            num += 1
        pull_of_row[row] = 0.0  # so it is counted once
    return met[:num], pulls[:num]
