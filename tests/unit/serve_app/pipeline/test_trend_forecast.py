"""Forecasts: a rising content is told from a steady one before its growth has shown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from messages.identifiers import keys_of
from messages.updates import CounterRows
from serve_app.model_replica import ModelReplica
from serve_app.pipeline.exponential_smoothing import forecast, smooth
from serve_app.pipeline.trend_boost_scorer import TrendBoostScorer, TrendBoostSettings
from serve_app.pipeline.trend_forecaster import TrendForecaster, TrendForecastSettings
from tests.fakes import NOW, content, counted, delta, ranking_request, replica_of
from tests.scored_candidates import candidates_of

MINUTE = 60.0


def test_a_steady_series_stays_a_rising_one_rises_and_a_falling_one_falls_to_nothing_at_most() -> None:
    steps = np.arange(20.0)
    series = np.array([np.full(20, 7.0), 3 * steps, np.maximum(40 - 4 * steps, 0), np.zeros(20)])

    expected = forecast(series, 5)

    assert expected[0] == pytest.approx(7.0)
    assert expected[1] > 57
    assert 0 <= expected[2] < 5
    assert expected[3] == 0


def test_smoothing_is_the_recursion() -> None:
    level, trend, errors = smooth(np.array([[1.0, 3.0, 2.0]]), 0.5, 0.4, 0.9)

    first_level, first_trend = 0.5 * 3 + 0.5 * 1, 0.4 * 1.0
    expected = first_level + 0.9 * first_trend
    last = 0.5 * 2 + 0.5 * expected
    assert level[0] == pytest.approx(last)
    assert trend[0] == pytest.approx(0.4 * (last - first_level) + 0.6 * 0.9 * first_trend)
    assert errors[0] == pytest.approx((3 - 1) ** 2 + (2 - expected) ** 2)


def watched(replica: ModelReplica, counter: int, views: dict[str, int]) -> None:
    counters = counted(dict.fromkeys(views, 100.0), views)
    replica.apply_whole(delta(counter, previous=counter - 1, counters=counters))


@pytest.fixture
def rising() -> tuple[ModelReplica, TrendForecaster]:
    """`up` gains five views a minute more with every minute, `even` gains fifty a minute."""
    replica = replica_of([content("up"), content("even"), content("quiet")])
    forecaster = TrendForecaster(TrendForecastSettings(), replica)
    total = 0
    for minute in range(12):
        total += 5 * minute
        watched(replica, minute + 2, {"up": total, "even": 50 * minute})
        assert forecaster.look(NOW + minute * MINUTE)
    return replica, forecaster


def test_the_factor_tells_what_will_rise(rising) -> None:
    factors = rising[1].factors(keys_of(["up", "even", "quiet", "never heard of"]))

    assert 0.1 < factors[0] <= 1
    assert factors[1:].tolist() == pytest.approx([0, 0, 0], abs=0.01)


def test_within_an_interval_nothing_is_looked_at(rising) -> None:
    assert not rising[1].look(NOW + 11 * MINUTE + 59)


def test_what_trends_no_more_is_forgotten(rising) -> None:
    replica, forecaster = rising
    replica.apply_whole(delta(14, previous=13, removed_contents=["up"]))
    forecaster.look(NOW + 20 * MINUTE)

    assert forecaster.factors(keys_of(["up"])).tolist() == [0]


def test_the_boost_takes_the_forecast_where_it_is_more_than_the_growth(rising) -> None:
    replica, forecaster = rising
    scored = candidates_of(replica, [2.0, 2.0, 2.0])
    scored = replace(scored, counters=CounterRows.zeros(scored.counters.ids))  # nothing has grown yet
    request = replace(ranking_request(replica), now=NOW + 12 * MINUTE)
    settings = TrendBoostSettings(beta=0.5)

    plain = TrendBoostScorer(settings).score(request, scored).scores
    boosted = TrendBoostScorer(settings, forecaster).score(request, scored).scores

    factor = forecaster.factors(keys_of(["up"]))[0]
    assert boosted[0] == pytest.approx(2.0 * (1 + 0.5 * factor))
    assert boosted[0] > plain[0]
    assert boosted[2] == plain[2]


def test_the_scorer_looks_at_the_counters_as_requests_come() -> None:
    replica = replica_of([content("a")], counters=counted({"a": 1.0}, {"a": 3}))
    forecaster = TrendForecaster(TrendForecastSettings(), replica)
    scored = candidates_of(replica, [1.0])

    TrendBoostScorer(TrendBoostSettings(), forecaster).observe(ranking_request(replica), scored, scored)

    assert not forecaster.look(NOW + 1)
