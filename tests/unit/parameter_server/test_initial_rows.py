"""What a row is before anybody has trained it."""

from __future__ import annotations

import numpy as np

from parameter_server.initializers import initial_rows

IDS = np.arange(1, 5_001, dtype=np.uint64)


def test_depends_on_slot_id_and_column_alone() -> None:
    rows = initial_rows(IDS, 8, 0.1, "user")
    assert np.array_equal(rows[[3, 1]], initial_rows(IDS[[3, 1]], 8, 0.1, "user"))
    assert np.array_equal(rows[:, :5], initial_rows(IDS, 5, 0.1, "user"))
    assert not np.array_equal(rows, initial_rows(IDS, 8, 0.1, "content"))


def test_never_changes_between_releases() -> None:
    first = initial_rows(np.array([1, 2**64 - 1], dtype=np.uint64), 3, 1.0, "user")
    expected = [
        [-0.3972855806350708, -0.9929805994033813, 0.7888456583023071],
        [-0.2384796142578125, 0.3493567705154419, 0.1482255458831787],
    ]
    assert np.array_equal(first, np.array(expected, dtype=np.float32))


def test_is_uniform_and_uncorrelated() -> None:
    rows = initial_rows(IDS, 16, 0.5, "user").astype(np.float64)
    assert rows.min() >= -0.5
    assert rows.max() < 0.5
    assert abs(rows.mean()) < 0.01
    assert abs(rows.std() - 1 / np.sqrt(12)) < 0.01
    correlations = np.corrcoef(rows.T) - np.eye(16)
    assert np.abs(correlations).max() < 0.06


def test_a_missing_key_is_all_zeros() -> None:
    assert not initial_rows(np.zeros(2, dtype=np.uint64), 5, 1.0, "user").any()
