"""How many lists are enough is found with few searches, from wherever the search for it begins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.probe_calibration import FIRST_PROBES, TRUE_TOP, calibration

NUM_LISTS, NUM_QUERIES = 1_000, 32
LEVELS = [
    8,
    10,
    12,
    15,
    18,
    22,
    27,
    33,
    41,
    51,
    63,
    78,
    97,
    121,
    151,
    188,
    235,
    293,
    366,
    457,
    571,
    713,
    891,
    1_000,
]


class KnownIndex:
    """An index of which it is known how many lists a query needs to find all; with fewer it finds nothing."""

    def __init__(self, num_probes: int = FIRST_PROBES, num_probes_alike: int = FIRST_PROBES) -> None:
        self.num_lists = NUM_LISTS
        self.num_probes, self.num_probes_alike = num_probes, num_probes_alike
        self.num_calibrated_by = 0
        self.searches = 0

    def search(self, query: np.ndarray, count: int, num_probes: int | None = None) -> np.ndarray:
        self.searches += 1
        found = np.arange(count) if num_probes >= query[0] else np.arange(0)
        return found if count > TRUE_TOP else np.arange(TRUE_TOP)


def needing(lists: int) -> np.ndarray:
    return np.full((NUM_QUERIES, 1), lists, dtype=np.float32)


def calibrate(index: KnownIndex, queries: np.ndarray, anchors: np.ndarray | None = None) -> float:
    steps = calibration(index, queries, anchors, 0.98)  # type: ignore[arg-type]
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return float(end.value)


@given(st.integers(1, NUM_LISTS), st.integers(1, NUM_LISTS), st.integers(1, NUM_LISTS))
def test_from_any_number_the_fewest_lists_that_are_enough_are_found(needed, alike, before) -> None:
    index = KnownIndex(before, before)

    recall = calibrate(index, needing(needed), needing(alike))

    assert recall == 1.0
    assert index.num_probes == min(level for level in LEVELS if level >= needed)
    assert index.num_probes_alike == min(level for level in LEVELS if level >= alike)
    assert index.num_calibrated_by == NUM_QUERIES


@pytest.mark.parametrize("needed", [235, 1_000])
def test_a_number_that_is_still_right_is_confirmed_by_two_searches_a_query(needed) -> None:
    index = KnownIndex(needed)

    calibrate(index, needing(needed))

    assert index.num_probes == needed
    assert index.searches == 2 * NUM_QUERIES + 1  # and one, which the next fewer lists fail at once


def test_of_no_queries_the_numbers_stay_as_they_are() -> None:
    index = KnownIndex(40)

    assert np.isnan(calibrate(index, needing(1)[:0]))
    assert index.num_probes == 40


def test_where_not_even_all_lists_are_enough_all_are_taken() -> None:
    index = KnownIndex(40)

    assert calibrate(index, needing(NUM_LISTS + 1)) < 0.98
    assert index.num_probes == NUM_LISTS
