"""What everybody did with a content, as rates, sizes and growth: the counter block of the features."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from learners.features.rates import odds_ratio
from learners.features.schema import COUNTER_FEATURES, COUNTER_RATE_PRIORS
from learners.kernel_arrays import kernel_array
from messages.arrays import DoubleArray, FloatArray
from messages.features import FeatureBatch
from messages.updates import COUNTER_TOTAL_INDEX, DECAYED_COUNTERS, HALF_LIVES, CounterRows

_STRENGTH = 10.0
"""A rate is believed in the measure of this many watchings: few, so that a new content shows soon."""

LOG_COUNT_SCALE = np.float32(8)
"""Logarithms of counts are divided by this, to be of the size of the other features."""

_HALF_LIVES: DoubleArray = np.array(HALF_LIVES, dtype=np.float64)
_PRIORS: DoubleArray = np.array(list(COUNTER_RATE_PRIORS.values()))
_SIZE_SCALES: DoubleArray = np.array([4.0] + [float(LOG_COUNT_SCALE)] * (1 + len(HALF_LIVES)))
_VIEWS, _SKIPS, _HIDES, _REPORTS, _WATCH = (
    COUNTER_TOTAL_INDEX[name] for name in ("views", "skips", "hides", "reports", "watch_milliseconds")
)
_RATE_TOTALS = tuple(
    COUNTER_TOTAL_INDEX[name]
    for name in ("long_views", "completes", "likes", "comments", "shares", "saves", "follows", "replays")
)
_TERMINALS = DECAYED_COUNTERS.index("terminals")
_DECAYED_RATES = tuple(
    DECAYED_COUNTERS.index(name) for name in ("engaged", "long_views", "positives", "negatives")
)


def counter_features(rows: CounterRows, now: float | DoubleArray) -> FloatArray:
    """Compute the columns of COUNTER_FEATURES, float32 [n, C].

    rows: the counters of n contents, in the order of the rows wanted. now: epoch seconds, one or n of them;
    decayed sums are brought to it, never back before a row's own time (clocks differ).
    """
    count = len(rows)
    elapsed = np.maximum(np.asarray(now, dtype=np.float64) - rows.times, 0.0)
    fades = elapsed / -_HALF_LIVES[:, None]
    odds, sizes = np.empty((count, len(_PRIORS) + 1)), np.empty((count, len(_SIZE_SCALES)))
    features = np.empty((count, len(COUNTER_FEATURES)), dtype=np.float32)
    _put_odds(
        kernel_array(rows.totals, np.int64),
        kernel_array(rows.decayed, np.float64),
        np.exp2(fades, out=fades),
        odds,
        sizes,
    )
    # Over whole arrays: numpy begins anew with each row of a part of one.
    _put_features(np.log(odds, out=odds), np.log1p(sizes, out=sizes), features)
    return features


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _put_odds(totals: Any, decayed: Any, fades: Any, odds: Any, sizes: Any) -> None:
    """Write what the logarithms are taken of: one pass over the counters, none over columns of them.

    totals: int64 [n, T]. decayed: float64 [n, H, D]. fades: float64 [H, n], what brings these to now. odds:
    float64 [n, R + 1], of each rate as `odds_ratio` has them, then of the speeds. sizes: float64
    [n, 2 + H].
    """
    num_lives, num_decayed, num_rates = decayed.shape[1], len(_DECAYED_RATES), len(_PRIORS)
    of_totals = num_rates - num_lives * num_decayed
    hits, trials = np.empty(num_rates), np.empty(num_rates)
    for row in range(len(totals)):
        terminals = np.float64(totals[row, _VIEWS] + totals[row, _SKIPS])
        trials[:of_totals] = terminals
        hits[0] = totals[row, _VIEWS]
        for rate in range(len(_RATE_TOTALS)):
            hits[1 + rate] = totals[row, _RATE_TOTALS[rate]]
        hits[of_totals - 1] = totals[row, _HIDES] + totals[row, _REPORTS]
        sizes[row, 0] = totals[row, _WATCH] / 1_000 / max(terminals, 1.0)
        sizes[row, 1] = terminals
        for life in range(num_lives):
            fade = fades[life, row]
            recent = fade * decayed[row, life, _TERMINALS]
            sizes[row, 2 + life] = recent
            first = of_totals + life * num_decayed
            trials[first : first + num_decayed] = recent
            for rate in range(num_decayed):
                hits[first + rate] = fade * decayed[row, life, _DECAYED_RATES[rate]]
        for rate in range(num_rates):
            odds[row, rate] = odds_ratio(hits[rate], trials[rate], _PRIORS[rate], _STRENGTH)
        # A decayed sum of a steady stream is its rate times half_life / ln 2, so steady means the same speed
        # at both half-lives and a growth of 0; one watching an hour on both sides keeps the small quiet.
        quickest = sizes[row, 2] / _HALF_LIVES[0] + 1 / _HALF_LIVES[0]
        slowest = sizes[row, 1 + num_lives] / _HALF_LIVES[-1] + 1 / _HALF_LIVES[0]
        odds[row, num_rates] = quickest / slowest


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _put_features(log_odds: Any, log_sizes: Any, features: Any) -> None:
    """Put the logarithms side by side, rates, sizes and growth, each on its scale."""
    num_rates = len(_PRIORS)
    for row in range(len(features)):
        for rate in range(num_rates):
            features[row, rate] = log_odds[row, rate]
        for size in range(len(_SIZE_SCALES)):
            features[row, num_rates + size] = log_sizes[row, size] / _SIZE_SCALES[size]
        features[row, -1] = log_odds[row, num_rates] / 2


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
