import numpy as np
import pytest

from learners.features.counter_features import counter_block_of, counter_features
from learners.features.schema import COUNTER_FEATURES, DENSE_FEATURES
from messages.features import FeatureBatch
from messages.updates import COUNTER_TOTAL_INDEX, DECAYED_COUNTERS, HALF_LIVES, CounterRows

NOW = 1_650_000_000.0


def counters(n: int = 1, **totals: int) -> CounterRows:
    rows = CounterRows.zeros(np.arange(1, n + 1, dtype=np.uint64))
    for name, value in totals.items():
        rows.totals[:, COUNTER_TOTAL_INDEX[name]] = value
    rows.times[:] = NOW
    return rows


def feature(block: np.ndarray, name: str) -> float:
    return float(block[0, COUNTER_FEATURES.index(name)])


def test_nothing_counted_says_nothing() -> None:
    block = counter_features(counters(3), NOW)
    assert block.shape == (3, len(COUNTER_FEATURES))
    assert block.dtype == np.float32
    np.testing.assert_allclose(block, 0, atol=1e-6)


def test_a_rate_above_its_prior_is_positive_and_below_negative() -> None:
    block = counter_features(counters(views=90, skips=10, long_views=1), NOW)
    assert feature(block, "engage_rate") > 1
    assert feature(block, "long_view_rate") < -1


def test_completions_are_among_the_views_and_not_beside_them() -> None:
    once = counter_features(counters(views=10, skips=10), NOW)
    completed = counter_features(counters(views=10, skips=10, completes=10), NOW)
    assert feature(once, "engage_rate") == feature(completed, "engage_rate")
    assert feature(once, "complete_rate") < feature(completed, "complete_rate")


def test_hides_and_reports_are_one_rate() -> None:
    hidden = counter_features(counters(views=50, hides=2), NOW)
    reported = counter_features(counters(views=50, reports=2), NOW)
    assert feature(hidden, "negative_rate") == feature(reported, "negative_rate") > 0


def test_sums_fade_to_the_moment_that_is_asked_for() -> None:
    rows = counters()
    rows.decayed[:, :, DECAYED_COUNTERS.index("terminals")] = 100
    later = NOW + HALF_LIVES[0]
    assert feature(counter_features(rows, later), "hour_log_terminals") == pytest.approx(np.log1p(50) / 8)
    assert feature(counter_features(rows, NOW - 99), "hour_log_terminals") == pytest.approx(np.log1p(100) / 8)


def test_each_row_has_a_moment_of_its_own() -> None:
    rows = counters(2)
    rows.decayed[:, :, DECAYED_COUNTERS.index("terminals")] = 100
    both = counter_features(rows, np.array([NOW, NOW + 7_200]))
    np.testing.assert_array_equal(both[:1], counter_features(rows, NOW)[:1])
    np.testing.assert_array_equal(both[1:], counter_features(rows, NOW + 7_200)[1:])


def test_growth_shows_what_rises_now() -> None:
    rising, steady, falling = counters(), counters(), counters()
    terminals = DECAYED_COUNTERS.index("terminals")
    rising.decayed[0, :, terminals] = (100, 100)
    steady.decayed[0, :, terminals] = np.array(HALF_LIVES) / 36
    falling.decayed[0, :, terminals] = (1, 2_400)
    assert feature(counter_features(rising, NOW), "growth") > 0.5
    assert feature(counter_features(steady, NOW), "growth") == pytest.approx(0, abs=1e-6)
    assert feature(counter_features(falling, NOW), "growth") < -0.5


def without_counters(*content_keys: int) -> FeatureBatch:
    dense = np.zeros((len(content_keys), len(DENSE_FEATURES)), np.float32)
    return FeatureBatch({"content": np.array(content_keys, np.uint64)}, {}, dense, None)


def test_features_as_served_go_before_counters_of_now() -> None:
    served = np.ones((2, len(COUNTER_FEATURES)), np.float32)
    features = without_counters(1, 2).with_counters(served)
    assert counter_block_of(features, counters(2, views=5), np.full(2, NOW)) is served


def test_pulled_counters_are_put_to_their_rows() -> None:
    pulled = counters(3)
    pulled.totals[:, COUNTER_TOTAL_INDEX["views"]] = (1, 20, 300)
    block = counter_block_of(without_counters(3, 1, 3, 2), pulled, np.full(4, NOW))
    np.testing.assert_allclose(
        block[:, COUNTER_FEATURES.index("log_terminals")], np.log1p([300, 1, 300, 20]) / 8, rtol=1e-6
    )


def test_features_without_counters_and_no_counters_are_refused() -> None:
    with pytest.raises(ValueError, match="counters"):
        counter_block_of(without_counters(1), None, np.full(1, NOW))
