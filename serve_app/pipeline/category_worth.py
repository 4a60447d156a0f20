"""How categories are taken lately: what exposure each has earned."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from learners.features.schema import ENGAGE_PRIOR
from learners.key_sets import first_of_each
from messages.arrays import DoubleArray, IdArray
from messages.updates import DECAYED_COUNTERS, HALF_LIVES, CounterRows

_TERMINALS, _ENGAGED = DECAYED_COUNTERS.index("terminals"), DECAYED_COUNTERS.index("engaged")
_PRIOR_OF_ALL = 10.0
_PRIOR_OF_EACH = 2.0
"""Watchings that are taken to have gone as usual: of all contents, and of each category as all of them."""


def category_worth(categories: IdArray, counters: CounterRows, now: float) -> tuple[IdArray, DoubleArray]:
    """Return each category, uint64 [c], as they come, and how much of what was watched of it was engaged
    with, over the same of all, float64 [c]: 1 is as usual, and so is what nobody watched.

    categories: of n contents, uint64 [n]. counters: theirs; sums of the last hour or so are taken, so that a
    category which is liked again shows it soon. now: epoch seconds.
    """
    found: tuple[IdArray, DoubleArray] = _worth(categories, counters.decayed, counters.times, now)
    return found


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _worth(categories: Any, decayed: Any, times: Any, now: Any) -> Any:
    numbers = np.empty(len(categories), dtype=np.int64)
    firsts = first_of_each(categories, numbers, 0)
    watched, engaged = np.zeros(len(firsts)), np.zeros(len(firsts))
    for index, number in enumerate(numbers):
        if decayed[index, 0, _TERMINALS] > 0 or decayed[index, 0, _ENGAGED] > 0:  # few of many are watched
            fade = 2.0 ** (-max(now - times[index], 0.0) / HALF_LIVES[0])
            watched[number] += decayed[index, 0, _TERMINALS] * fade
            engaged[number] += decayed[index, 0, _ENGAGED] * fade
    usual = (engaged.sum() + _PRIOR_OF_ALL * ENGAGE_PRIOR) / (watched.sum() + _PRIOR_OF_ALL)
    return categories[firsts], (engaged / usual + _PRIOR_OF_EACH) / (watched + _PRIOR_OF_EACH)
