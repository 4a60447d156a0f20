"""Counts to rates that mean something from the first event on."""

from __future__ import annotations

import math

import numpy as np

from messages.arrays import AnyArray

_FLOOR = 1e-4


def log_odds_ratio(hits: float, trials: float, prior: float, strength: float) -> float:
    """Return `smoothed_rate` of one pair of numbers, without numpy's cost for small arrays."""
    rate = min(max((hits + strength * prior) / (trials + strength), _FLOOR), 1 - _FLOOR)
    return math.log(rate * (1 - prior) / ((1 - rate) * prior))


def smoothed_rate(hits: AnyArray, trials: AnyArray, prior: AnyArray | float, strength: float) -> AnyArray:
    """Return the log-odds of a rate less those of its prior: 0 where nothing is counted, about [-3, 3].

    (hits + strength * prior) / (trials + strength) is the mean of a beta posterior: the prior counts as much
    as `strength` trials. Log-odds, since on that scale a model adds things up and 1% is as far from 2% as
    2% from 4%. Arguments broadcast against each other.
    """
    rate = np.clip((hits + strength * prior) / (trials + strength), _FLOOR, 1 - _FLOOR)
    return np.log(rate * (1 - prior) / ((1 - rate) * prior))
