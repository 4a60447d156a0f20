"""The bands of the curves are what the quantity can be."""

from __future__ import annotations

import numpy as np

from simulations.simulation_plots import band


def test_a_band_reaches_two_standard_errors_to_each_side() -> None:
    low, high = band(np.array([0.5]), np.array([0.1]), most=1.0)
    np.testing.assert_allclose([low, high], [[0.3], [0.7]])


def test_a_band_of_shares_stays_between_none_and_all() -> None:
    low, high = band(np.array([0.95, 0.05]), np.array([0.1, 0.1]), most=1.0)
    np.testing.assert_allclose(low, [0.75, 0.0])
    np.testing.assert_allclose(high, [1.0, 0.25])


def test_a_band_of_what_has_no_bound_reaches_as_far_as_the_error() -> None:
    _, high = band(np.array([12.0]), np.array([2.0]))
    assert high[0] == 16.0


def test_where_nothing_is_known_there_is_no_band() -> None:
    low, high = band(np.array([np.nan]), np.array([np.nan]), most=1.0)
    assert np.isnan([low, high]).all()
