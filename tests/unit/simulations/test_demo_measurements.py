"""Engagement over time, and the ledger of what is learned."""

import math

import numpy as np
import pytest

from simulations.demo_measurements import EngagementTracker, LearnedLedger


def test_engagement_is_the_share_of_impressions_viewed() -> None:
    tracker = EngagementTracker()
    tracker.add("online", 0.2, 2, 10)
    tracker.add("online", 5.9, 8, 10)
    tracker.add("random", 1.0, 3, 10)
    assert tracker.engagement("online") == 0.5
    assert tracker.engagement("online", since=5) == 0.8
    assert tracker.engagement("online", until=5) == 0.2
    assert math.isnan(tracker.engagement("random", since=2))
    assert math.isnan(tracker.engagement("nobody"))
    assert tracker.num_shown("online") == 20


def test_a_series_covers_the_run_in_equal_bins() -> None:
    tracker = EngagementTracker()
    for second in range(60):
        tracker.add("online", second + 0.5, 5 if second < 30 else 9, 10)
    series = tracker.series("online", num_bins=20)
    assert len(series.times) == 20
    assert series.times[0] == 1.5
    np.testing.assert_allclose(series.shares[:10], 0.5)
    np.testing.assert_allclose(series.shares[10:], 0.9)
    assert series.errors[0] == pytest.approx(math.sqrt(0.5 * 0.5 / 30))


def test_a_bin_without_impressions_has_no_share() -> None:
    tracker = EngagementTracker()
    tracker.add("online", 0.0, 1, 1)
    tracker.add("online", 2.0, 1, 1)
    assert np.isnan(tracker.series("online").shares).tolist() == [False, True, False]


def test_events_are_learned_when_their_partition_has_reached_them() -> None:
    ledger = LearnedLedger()
    ledger.accepted(0, 8, 3)
    ledger.accepted(0, 5, 2)  # an answer may overtake another
    ledger.accepted(1, 6, 4)
    assert (ledger.num_events, ledger.num_waiting) == (9, 9)
    ledger.learned({0: 5, 2: 100})
    assert ledger.num_learned == 2
    ledger.learned({0: 8, 1: 5})
    assert ledger.num_learned == 5
    ledger.learned({0: 9, 1: 6})
    assert ledger.num_waiting == 0
