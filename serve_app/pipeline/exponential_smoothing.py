"""What a series of counts will do next, for many series at once."""

from __future__ import annotations

from itertools import product

import numpy as np

from messages.arrays import DoubleArray

LEVEL_SHARES = (0.2, 0.5, 0.8)
TREND_SHARES = (0.1, 0.4)
DAMPING = 0.9
_GRID: DoubleArray = np.array(list(product(LEVEL_SHARES, TREND_SHARES)))


def forecast(series: DoubleArray, horizon: int) -> DoubleArray:
    """Return the expected mean of the next `horizon` values of n series, float64 [n], at least 0.

    series: float64 [n, t], oldest first, t >= 1. Exponential smoothing with a damped trend (Gardner and
    McKenzie, Management Science 31, 1985); each series takes the smoothing, of a small grid, whose errors one
    step ahead were smallest. `statsmodels` computes the same one series after the other.
    """
    level_shares, trend_shares = _GRID[:, :1], _GRID[:, 1:]
    levels, trends, errors = smooth(series, level_shares, trend_shares, DAMPING)
    best = (np.argmin(errors, axis=0), np.arange(len(series)))
    reach = np.cumsum(DAMPING ** np.arange(1, horizon + 1)).mean()
    expected: DoubleArray = np.maximum(levels[best] + reach * trends[best], 0.0)
    return expected


def smooth(
    series: DoubleArray, level_share: float | DoubleArray, trend_share: float | DoubleArray, damping: float
) -> tuple[DoubleArray, DoubleArray, DoubleArray]:
    """Return the last level, the last trend and the squared errors one step ahead, float64 [n] each, or
    [g, n] for g shares given as [g, 1].

    Begins at the first value with no trend.
    """
    shape = np.broadcast_shapes(np.shape(level_share), (len(series),))
    level: DoubleArray = np.broadcast_to(series[:, 0].astype(np.float64), shape)
    trend, errors = np.zeros(shape), np.zeros(shape)
    for value in series.T[1:]:
        expected = level + damping * trend
        errors += (value - expected) ** 2
        moved = level_share * value + (1 - level_share) * expected
        trend = trend_share * (moved - level) + (1 - trend_share) * damping * trend
        level = moved
    return level, trend, errors
