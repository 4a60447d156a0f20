import math

import numpy as np
import pytest

from monitoring.exposure import coverage, effective_number, gini


def test_equal_attention_has_a_gini_of_nought() -> None:
    assert gini(np.array([3, 3, 3])) == 0
    assert gini(np.array([5]), population=1) == 0


def test_one_of_ten_who_has_it_all() -> None:
    assert gini(np.array([40]), population=10) == pytest.approx(0.9)
    assert gini(np.array([40] + [0] * 9)) == pytest.approx(0.9)


def test_half_the_mean_difference_by_the_mean() -> None:
    counts = np.array([1, 4, 4, 9, 30])
    expected = np.abs(counts[:, None] - counts).mean() / 2 / counts.mean()
    assert gini(counts) == pytest.approx(expected)


def test_nothing_shown_is_unknown() -> None:
    assert math.isnan(gini(np.array([], np.int64)))
    assert math.isnan(coverage(0, 0))
    assert math.isnan(effective_number(np.array([0])))


def test_coverage_and_effective_number() -> None:
    assert coverage(3, 12) == 0.25
    assert effective_number(np.array([7, 7, 7, 7])) == pytest.approx(4)
    assert effective_number(np.array([1_000_000, 1])) == pytest.approx(1, abs=1e-4)
