"""The compiled passes over features give what plain numpy gives, column by column."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learners.features.content_features import group_columns, pair_columns
from learners.features.content_ids import NUM_DURATION_BUCKETS, crossed, duration_bucket_keys
from learners.features.counter_features import counter_features
from learners.features.rates import LEAST_RATE
from learners.features.schema import (
    COUNTER_FEATURES,
    COUNTER_RATE_PRIORS,
    ENGAGE_PRIOR,
    LONG_VIEW_PRIOR,
    PAIR_DENSE_FEATURES,
)
from learners.features.user_features import context_key
from learners.user_state_settings import DEFAULT_SETTINGS
from messages.arrays import DoubleArray, FloatArray
from messages.identifiers import MISSING_KEY, mix
from messages.updates import COUNTER_TOTALS, DECAYED_COUNTERS, HALF_LIVES, CounterRows

NOW = 1_650_000_000.0
SEEDS = st.integers(0, 2**32 - 1)


def smoothed_rate(
    hits: DoubleArray, trials: DoubleArray, prior: DoubleArray | float, strength: float
) -> DoubleArray:
    """What `log_odds_ratio` says of one pair of numbers, of arrays."""
    rate = np.clip((hits + strength * prior) / (trials + strength), LEAST_RATE, 1 - LEAST_RATE)
    odds: DoubleArray = np.log(rate * (1 - prior) / ((1 - rate) * prior))
    return odds


def drawn_counters(draws: np.random.Generator, count: int) -> CounterRows:
    watched = draws.random((count, 1)) < 0.6
    return CounterRows(
        np.arange(1, count + 1, dtype=np.uint64),
        draws.integers(0, 2_000, (count, len(COUNTER_TOTALS))) * watched,
        draws.exponential(20, (count, len(HALF_LIVES), len(DECAYED_COUNTERS))) * watched[:, :, None],
        NOW + draws.normal(scale=90_000, size=count),
    )


def plain_counter_features(rows: CounterRows, now: DoubleArray) -> dict[str, DoubleArray]:
    totals = dict(zip(COUNTER_TOTALS, rows.totals.T.astype(np.float64), strict=True))
    terminals = totals["views"] + totals["skips"]
    hits = {
        "engage_rate": totals["views"],
        "negative_rate": totals["hides"] + totals["reports"],
        **{f"{name}_rate": totals[f"{name}s"] for name in ("long_view", "complete", "like", "comment")},
        **{f"{name}_rate": totals[f"{name}s"] for name in ("share", "save", "follow", "replay")},
    }
    columns = {
        name: smoothed_rate(counted, terminals, COUNTER_RATE_PRIORS[name], 10.0)
        for name, counted in hits.items()
    }
    columns["log_watch_seconds"] = (
        np.log1p(totals["watch_milliseconds"] / 1_000 / np.maximum(terminals, 1)) / 4
    )
    columns["log_terminals"] = np.log1p(terminals) / 8
    elapsed = np.maximum(now - rows.times, 0.0)
    speeds = []
    for life, (name, half_life) in enumerate(zip(("hour", "day"), HALF_LIVES, strict=True)):
        faded = rows.decayed[:, life] * np.exp2(-elapsed / half_life)[:, None]
        sums = dict(zip(DECAYED_COUNTERS, faded.T, strict=True))
        for rate, counted in (("engage", "engaged"), ("long_view", "long_views")):
            prior = COUNTER_RATE_PRIORS[f"{name}_{rate}_rate"]
            columns[f"{name}_{rate}_rate"] = smoothed_rate(sums[counted], sums["terminals"], prior, 10.0)
        for rate in ("positive", "negative"):
            prior = COUNTER_RATE_PRIORS[f"{name}_{rate}_rate"]
            columns[f"{name}_{rate}_rate"] = smoothed_rate(sums[f"{rate}s"], sums["terminals"], prior, 10.0)
        columns[f"{name}_log_terminals"] = np.log1p(sums["terminals"]) / 8
        speeds.append(sums["terminals"] / half_life + 1 / HALF_LIVES[0])
    columns["growth"] = np.log(speeds[0] / speeds[1]) / 2
    return columns


@given(seed=SEEDS, count=st.integers(0, 40), one_moment=st.booleans())
def test_counter_features_are_those_of_plain_numpy(seed: int, count: int, one_moment: bool) -> None:
    draws = np.random.default_rng(seed)
    rows = drawn_counters(draws, count)
    moments = np.full(count, NOW) if one_moment else NOW + draws.normal(scale=9_000, size=count)

    features = counter_features(rows, NOW if one_moment else moments)

    expected = plain_counter_features(rows, moments)
    assert expected.keys() == set(COUNTER_FEATURES)
    for column, name in enumerate(COUNTER_FEATURES):
        np.testing.assert_array_equal(features[:, column], expected[name].astype(np.float32), name)


def test_counters_that_nobody_may_write_to_give_the_same_features() -> None:
    rows = drawn_counters(np.random.default_rng(0), 9)
    expected = counter_features(rows, NOW)
    for column in (rows.totals, rows.decayed, rows.times):
        column.flags.writeable = False

    np.testing.assert_array_equal(counter_features(rows, NOW), expected)


def drawn_rates(draws: np.random.Generator, count: int) -> DoubleArray:
    terminals = draws.exponential(9, count)
    shares = draws.random((2, count))
    preferences = draws.normal(scale=3, size=count)
    return np.stack([NOW - draws.normal(99, 999, count), terminals, *shares * terminals, preferences], axis=1)


@given(seed=SEEDS, count=st.integers(0, 30))
def test_columns_of_a_group_are_those_of_plain_numpy(seed: int, count: int) -> None:
    rates = drawn_rates(np.random.default_rng(seed), count)
    last_times, terminals, engaged, long_views, preferences = rates.T

    nobody, table = np.split(group_columns(rates, NOW), [1])

    assert nobody.tolist() == [[0.0] * 6]
    np.testing.assert_array_equal(table[:, 0], smoothed_rate(engaged, terminals, ENGAGE_PRIOR, 3.0))
    np.testing.assert_array_equal(table[:, 1], smoothed_rate(long_views, terminals, LONG_VIEW_PRIOR, 3.0))
    np.testing.assert_array_equal(table[:, 2], np.tanh(preferences / 4))
    np.testing.assert_array_equal(table[:, 3], np.log1p(terminals) / 3)
    np.testing.assert_array_equal(table[:, 4], 1 / (1 + np.log1p(np.maximum(NOW - last_times, 0) / 60)))
    np.testing.assert_array_equal(table[:, 5], terminals)


@given(seed=SEEDS, count=st.integers(1, 30), first_latest=st.integers(0, 30))
def test_the_latest_rates_fade_and_are_believed_sooner(seed: int, count: int, first_latest: int) -> None:
    rates = drawn_rates(np.random.default_rng(seed), count)
    elapsed = np.maximum(NOW - rates[:, 0], 0)
    _, terminals, engaged, _, preferences = (
        rates * np.exp2(-elapsed / DEFAULT_SETTINGS.latest_half_life_seconds)[:, None]
    ).T

    table = group_columns(rates, NOW, first_latest)[1:]

    lasting = group_columns(rates, NOW)[1:]
    assert table[:first_latest].tolist() == lasting[:first_latest].tolist()
    expected = np.stack(
        [
            smoothed_rate(engaged, terminals, ENGAGE_PRIOR, 1.5),
            np.tanh(preferences / 4),
            np.log1p(terminals) / 3,
        ],
        axis=1,
    )
    np.testing.assert_allclose(table[first_latest:, [0, 2, 3]], expected[first_latest:], rtol=1e-12)


def some_durations(draws: np.random.Generator, count: int) -> FloatArray:
    durations = draws.exponential(30, count).astype(np.float32)
    durations[draws.random(count) < 0.3] = np.nan
    return durations


@pytest.mark.parametrize("people", ["one", "each their own"])
@given(seed=SEEDS, count=st.integers(0, 30))
def test_columns_of_a_pair_are_those_of_plain_numpy(people: str, seed: int, count: int) -> None:
    draws = np.random.default_rng(seed)
    groups, rows = draws.normal(size=(9, 6)), draws.integers(0, 9, (3, count))
    num_people = 1 if people == "one" else count
    terminals, moments = draws.exponential(9, num_people), NOW + draws.random(num_people)
    own_rates = draws.normal(size=(2, num_people)).astype(np.float32)
    durations, uploads = some_durations(draws, count), NOW - draws.normal(999, 9_999, count)
    num_tags, uses = draws.integers(0, 20, (2, count))
    members = draws.random((3, count)) < 0.5
    own_languages = draws.integers(0, 3, num_people).astype(np.uint64)
    languages = draws.integers(0, 3, count).astype(np.uint64)
    known = (own_languages != MISSING_KEY) & (languages != MISSING_KEY)
    same = known * np.where(own_languages == languages, 1, -1)

    columns = pair_columns(
        groups,
        np.concatenate([rows, members * draws.integers(1, 99, (3, count))]),
        terminals,
        (own_rates[0], own_rates[1]),
        durations,
        uploads,
        num_tags,
        uses,
        moments,
        (own_languages, languages),
    )

    known = np.isfinite(durations)
    log_durations = np.where(known, np.log1p(durations) / 3 - 1, 0)
    category, creator, latest = groups[rows]
    expected = np.column_stack(
        [
            category[:, 5] / np.maximum(terminals, 1),
            category[:, :5],
            creator[:, :5],
            members.T,
            log_durations,
            known,
            log_durations * own_rates[0],
            log_durations * own_rates[1],
            np.log1p(np.maximum(moments - uploads, 0) / 3_600) / 6,
            np.minimum(num_tags, 10) / 5,
            same,
            latest[:, [0, 2, 3]],
            np.log1p(uses) / 4,
        ]
    )
    assert expected.shape == (count, len(PAIR_DENSE_FEATURES))
    np.testing.assert_array_equal(columns, expected.astype(np.float32))


@given(
    keys=st.lists(st.one_of(st.just(MISSING_KEY), st.integers(0, 2**64 - 1)), max_size=20),
    key=st.one_of(st.just(MISSING_KEY), st.integers(0, 2**64 - 1)),
)
def test_a_pair_of_keys_is_mixed_into_one(keys: list[int], key: int) -> None:
    column = np.array(keys, dtype=np.uint64)

    mixed = mix(np.uint64(key) ^ mix(column))

    missing = (column == MISSING_KEY) | (key == MISSING_KEY)
    expected = np.where(missing, np.uint64(MISSING_KEY), mixed)
    np.testing.assert_array_equal(crossed(key, column), expected)
    np.testing.assert_array_equal(crossed(np.full(len(keys), key, dtype=np.uint64), column), expected)


@given(st.lists(st.floats(width=32), max_size=40))
def test_durations_fall_into_buckets_by_their_logarithm(seconds: list[float]) -> None:
    durations = np.array(seconds, dtype=np.float32)

    known = np.isfinite(durations)
    steps = np.log2(np.where(known, np.maximum(durations, 1), 1)) * np.float32(1.6)
    buckets = np.where(known, np.minimum(steps.astype(np.int64) + 1, NUM_DURATION_BUCKETS), 0)
    expected = [context_key("duration_bucket", str(bucket) if bucket else "") for bucket in buckets]
    assert duration_bucket_keys(durations).tolist() == expected
