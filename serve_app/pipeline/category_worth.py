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
    fade = np.exp2(np.minimum(counters.times - now, 0.0) / HALF_LIVES[0])
    different, watched, engaged = _watchings(categories, counters.decayed, fade)
    usual = (engaged.sum() + _PRIOR_OF_ALL * ENGAGE_PRIOR) / (watched.sum() + _PRIOR_OF_ALL)
    return different, (engaged / usual + _PRIOR_OF_EACH) / (watched + _PRIOR_OF_EACH)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _watchings(categories: Any, decayed: Any, fade: Any) -> Any:
    """Return each category, how much of it was watched lately, and how much of that engaged with."""
    numbers = np.empty(len(categories), dtype=np.int64)
    firsts = first_of_each(categories, numbers, 0)
    watched, engaged = np.zeros(len(firsts)), np.zeros(len(firsts))
    for index, number in enumerate(numbers):
        watched[number] += decayed[index, 0, _TERMINALS] * fade[index]
        engaged[number] += decayed[index, 0, _ENGAGED] * fade[index]
    return categories[firsts], watched, engaged
