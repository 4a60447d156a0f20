"""Counts to rates that mean something from the first event on."""

from __future__ import annotations

import math
from typing import Any

from numba import njit

LEAST_RATE = 1e-4
"""Rates lie this far from 0 and from 1 at least, so that their odds are numbers."""


def log_odds_ratio(hits: float, trials: float, prior: float, strength: float) -> float:
    """Return the log-odds of a rate less those of its prior: 0 where nothing is counted, about [-3, 3].

    (hits + strength * prior) / (trials + strength) is the mean of a beta posterior: the prior counts as much
    as `strength` trials. Log-odds, since on that scale a model adds things up and 1% is as far from 2% as
    2% from 4%.
    """
    rate = min(max((hits + strength * prior) / (trials + strength), LEAST_RATE), 1 - LEAST_RATE)
    return math.log(rate * (1 - prior) / ((1 - rate) * prior))


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def odds_ratio(hits: Any, trials: Any, prior: Any, strength: Any) -> Any:
    """Return what `log_odds_ratio` takes the logarithm of, for kernels: numpy takes many logarithms at once
    in a fraction of the time, and the same ones wherever features are made. A NaN stays one."""
    rate = (hits + strength * prior) / (trials + strength)
    rate = LEAST_RATE if rate < LEAST_RATE else rate
    rate = 1 - LEAST_RATE if rate > 1 - LEAST_RATE else rate
    return rate * (1 - prior) / ((1 - rate) * prior)
