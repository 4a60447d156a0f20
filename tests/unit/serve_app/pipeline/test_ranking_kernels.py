"""The compiled steps of stages do what their readable definitions say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learners.features.schema import ENGAGE_PRIOR
from messages.arrays import IntArray
from messages.examples import OUTPUTS
from messages.identifiers import MISSING_KEY
from messages.updates import COUNTER_TOTAL_INDEX, DECAYED_COUNTERS, HALF_LIVES, CounterRows
from serve_app.pipeline.category_worth import category_worth
from serve_app.pipeline.creator_cap import CreatorCap
from serve_app.pipeline.creator_decay_scorer import faded_scores
from serve_app.pipeline.exposure_prices import looked_up
from serve_app.pipeline.score_spread import deviation_of
from serve_app.pipeline.signal_weights import RATE_SIGNALS, SIGNALS, SignalWeights
from serve_app.pipeline.top_score_selector import by_falling_score
from serve_app.pipeline.trend_boost_scorer import share_of_new
from tests.fakes import content, replica_of
from tests.scored_candidates import candidates_of

NOW = 1_650_000_000.0
CREATORS = st.lists(st.sampled_from([MISSING_KEY, 7, 8, 9]), min_size=1, max_size=25)


def open_to(creators: list[int], placed: list[int], limit: int) -> list[int]:
    """Return which contents may take the next place, as the cap is described."""
    left = [position for position in range(len(creators)) if position not in placed]
    for number in range(len(placed) + 1):  # whoever had to be let in again has ended the cap
        shown = [creators[position] for position in placed[:number]]
        free = [
            position
            for position in range(len(creators))
            if position not in placed[:number]
            and not (limit and creators[position] != MISSING_KEY and shown.count(creators[position]) >= limit)
        ]
        if not free:
            return left
    return free


@given(CREATORS, st.integers(0, 3), st.integers(0, 2**32 - 1))
def test_places_follow_an_order_while_creators_wait_at_their_cap(
    creators: list[int], limit: int, seed: int
) -> None:
    order: IntArray = np.random.default_rng(seed).permutation(len(creators))
    cap = CreatorCap(np.array(creators, dtype=np.uint64), limit)
    places, num_open = np.empty_like(order), np.empty_like(order)

    filled = cap.follow(order, places, num_open)

    assert filled == len(order)
    for number, position in enumerate(places.tolist()):
        free = open_to(creators, places[:number].tolist(), limit)
        assert position == next(one for one in order.tolist() if one in free)
        assert num_open[number] == len(free)


def test_an_order_whose_creators_all_wait_fills_no_more_places() -> None:
    cap = CreatorCap(np.array([7, 7, 8], dtype=np.uint64), 1)
    places, num_open = np.empty(2, dtype=np.int64), np.empty(2, dtype=np.int64)

    assert cap.follow(np.array([0, 1]), places, num_open) == 1
    assert places[0] == 0
    assert cap.open.tolist() == [False, False, True]
    assert cap.first_open(np.array([0, 1])) == -1


@given(st.lists(st.floats() | st.sampled_from([0.0, -0.0, 1.5, np.nan, np.inf, -np.inf]), max_size=40))
def test_scores_fall_with_nan_last_and_ties_in_order(scores: list[float]) -> None:
    falling = by_falling_score(np.array(scores, dtype=np.float64))

    assert falling.tolist() == np.argsort(-np.array(scores), kind="stable").tolist()


@given(st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(np.nan), st.just(np.inf)), max_size=30))
def test_the_deviation_is_that_of_the_finite_scores(scores: list[float]) -> None:
    finite = [score for score in scores if np.isfinite(score)]

    expected = float(np.std(finite)) if finite else 0.0

    np.testing.assert_allclose(
        deviation_of(np.array(scores, dtype=np.float64)), expected, rtol=1e-9, atol=1e-9
    )


@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_a_score_fades_with_each_better_one_of_its_creator(seed: int, count: int) -> None:
    draws = np.random.default_rng(seed)
    creators = draws.choice(np.array([MISSING_KEY, 7, 8, 9], dtype=np.uint64), count)
    scores = draws.normal(1, 1, count)

    faded = faded_scores(scores, creators, decay=0.9, floor=0.5)

    for creator, score, left in zip(creators.tolist(), scores, faded, strict=True):
        better = int(((creators == creator) & (scores > score)).sum()) if creator != MISSING_KEY else 0
        assert left == pytest.approx(score * (0.5 * 0.9**better + 0.5) if score > 0 else score)


@given(st.integers(0, 2**32 - 1), st.integers(0, 20))
def test_what_has_risen_is_the_rate_lately_against_the_rate_before(seed: int, count: int) -> None:
    draws = np.random.default_rng(seed)
    decayed = draws.exponential(50, (count, len(HALF_LIVES), len(DECAYED_COUNTERS)))
    times = NOW + draws.normal(scale=9_000, size=count)

    risen = share_of_new(decayed, times, NOW)

    shortest, longest = HALF_LIVES[0], HALF_LIVES[-1]
    elapsed = np.maximum(NOW - times, 0)
    engaged = decayed[:, :, DECAYED_COUNTERS.index("engaged")]
    lately = (engaged[:, 0] * 2 ** (-elapsed / shortest) + 20 * shortest / longest) / shortest
    before = (engaged[:, -1] * 2 ** (-elapsed / longest) + 20) / longest
    expected = np.clip((lately / before - 1) / (longest / shortest - 1), 0, 1)
    np.testing.assert_allclose(risen, expected, rtol=1e-12, atol=1e-15)


@given(st.dictionaries(st.sampled_from(SIGNALS), st.floats(-9, 9)), st.integers(0, 2**32 - 1))
def test_a_score_is_the_sum_of_the_signals_that_count(table: dict[str, float], seed: int) -> None:
    draws = np.random.default_rng(seed)
    scored = candidates_of(replica_of([content(name) for name in "abc"]), [0.0, 0.0, 0.0])
    counters = CounterRows.zeros(scored.candidates.content_keys)
    counters.totals[:] = draws.integers(0, 100, counters.totals.shape)
    heads = draws.random((3, len(OUTPUTS)), dtype=np.float32)
    heads[2] = np.nan
    scored = replace(scored, probabilities=heads, counters=counters)

    scores = SignalWeights(table).score(scored)

    totals = {name: counters.totals[:, column] for name, column in COUNTER_TOTAL_INDEX.items()}
    expected = np.zeros(3)
    for name, weight in table.items():
        if name in RATE_SIGNALS:
            expected += weight * totals[RATE_SIGNALS[name]] / (totals["views"] + totals["skips"] + 20)
        elif weight:
            expected += weight * heads[:, OUTPUTS.index(name)].astype(np.float64)
    np.testing.assert_allclose(scores, expected, rtol=1e-9, atol=1e-12)


@given(st.integers(0, 2**32 - 1), st.integers(0, 30))
def test_worth_is_the_engagement_of_a_category_over_the_usual(seed: int, count: int) -> None:
    draws = np.random.default_rng(seed)
    categories = draws.choice(np.array([MISSING_KEY, 7, 8, 9], dtype=np.uint64), count)
    counters = CounterRows.zeros(np.arange(1, count + 1, dtype=np.uint64))
    counters.decayed[:] = draws.exponential(50, counters.decayed.shape)
    counters.times[:] = NOW + draws.normal(scale=9_000, size=count)

    found, worth = category_worth(categories, counters, NOW)

    sums = counters.decayed[:, 0] * 2 ** (-np.maximum(NOW - counters.times, 0) / HALF_LIVES[0])[:, None]
    watched = sums[:, DECAYED_COUNTERS.index("terminals")]
    engaged = sums[:, DECAYED_COUNTERS.index("engaged")]
    usual = (engaged.sum() + 10 * ENGAGE_PRIOR) / (watched.sum() + 10)
    assert sorted(found.tolist()) == sorted(set(categories.tolist()))
    for category, one in zip(found, worth, strict=True):
        of_it = categories == category
        assert one == pytest.approx((engaged[of_it].sum() / usual + 2) / (watched[of_it].sum() + 2))


@given(st.dictionaries(st.integers(0, 9), st.floats(-9, 9)), st.lists(st.integers(0, 9)))
def test_values_are_found_by_key(known: dict[int, float], wanted: list[int]) -> None:
    keys, values = np.array(list(known), dtype=np.uint64), np.array(list(known.values()), dtype=np.float64)

    found = looked_up(keys, values, np.array(wanted, dtype=np.uint64), missing=3.0)

    assert found.tolist() == [known.get(key, 3.0) for key in wanted]
