"""What everybody did with a content, as rates, sizes and growth: the counter block of the features."""

from __future__ import annotations

import numpy as np

from learners.features.rates import smoothed_rate
from learners.features.schema import COUNTER_FEATURES, COUNTER_RATE_PRIORS
from messages.arrays import DoubleArray, FloatArray
from messages.features import FeatureBatch
from messages.updates import COUNTER_TOTAL_INDEX, DECAYED_COUNTERS, HALF_LIVES, CounterRows

_STRENGTH = 10.0
"""A rate is believed in the measure of this many watchings: few, so that a new content shows soon."""

LOG_COUNT_SCALE = np.float32(8)
"""Logarithms of counts are divided by this, to be of the size of the other features."""

_HALF_LIVES: DoubleArray = np.array(HALF_LIVES, dtype=np.float64)
_PRIORS: DoubleArray = np.array(list(COUNTER_RATE_PRIORS.values()))
_RATE_TOTALS = [
    COUNTER_TOTAL_INDEX[name]
    for name in ("long_views", "completes", "likes", "comments", "shares", "saves", "follows", "replays")
]
_TERMINALS = DECAYED_COUNTERS.index("terminals")
_DECAYED_RATES = [
    DECAYED_COUNTERS.index(name) for name in ("engaged", "long_views", "positives", "negatives")
]


def counter_features(rows: CounterRows, now: float | DoubleArray) -> FloatArray:
    """Compute the columns of COUNTER_FEATURES, float32 [n, C].

    rows: the counters of n contents, in the order of the rows wanted. now: epoch seconds, one or n of them;
    decayed sums are brought to it, never back before a row's own time (clocks differ).
    """
    n = len(rows)
    totals = rows.totals.astype(np.float64)

    def total(name: str) -> DoubleArray:
        return totals[:, COUNTER_TOTAL_INDEX[name]]

    elapsed = np.maximum(np.asarray(now, dtype=np.float64) - rows.times, 0.0)
    decayed = rows.decayed * np.exp2(-elapsed[:, None] / _HALF_LIVES)[:, :, None]
    terminals = total("views") + total("skips")
    recent = decayed[:, :, _TERMINALS]
    num_rates = len(_PRIORS)
    from_totals = 2 + len(_RATE_TOTALS)
    hits = np.empty((n, num_rates))
    hits[:, 0] = total("views")
    hits[:, 1 : from_totals - 1] = totals[:, _RATE_TOTALS]
    hits[:, from_totals - 1] = total("hides") + total("reports")
    hits[:, from_totals:] = decayed[:, :, _DECAYED_RATES].reshape(n, -1)
    trials = np.empty((n, num_rates))
    trials[:, :from_totals] = terminals[:, None]
    trials[:, from_totals:] = np.repeat(recent, len(_DECAYED_RATES), axis=1)
    features = np.empty((n, len(COUNTER_FEATURES)), dtype=np.float32)
    features[:, :num_rates] = smoothed_rate(hits, trials, _PRIORS, _STRENGTH)
    features[:, num_rates] = np.log1p(total("watch_milliseconds") / 1_000 / np.maximum(terminals, 1)) / 4
    features[:, num_rates + 1] = np.log1p(terminals) / LOG_COUNT_SCALE
    features[:, num_rates + 2 : num_rates + 4] = np.log1p(recent) / LOG_COUNT_SCALE
    # A decayed sum of a steady stream is its rate times half_life / ln 2, so steady means the same speed at
    # both half-lives and a growth of 0; one watching an hour on both sides keeps the small quiet.
    speeds = recent / _HALF_LIVES + 1 / _HALF_LIVES[0]
    features[:, num_rates + 4] = np.log(speeds[:, 0] / speeds[:, -1]) / 2
    return features


def counter_block_of(features: FeatureBatch, counters: CounterRows | None, times: DoubleArray) -> FloatArray:
    """Return the counter features as they were served, or else as of `times` from pulled counters.

    counters: with rising ids, every content of `features` among them. times: epoch seconds, float64 [n].
    float32 [n, C].
    """
    if features.counters is not None:
        return features.counters
    if counters is None:
        raise ValueError("features that came without counters need the counters that the pull request names")
    places = np.searchsorted(counters.ids, features.ids["content"])
    return counter_features(counters.take(places), times)
