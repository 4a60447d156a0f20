"""How categories are taken lately: what exposure each has earned."""

from __future__ import annotations

import numpy as np

from learners.features.schema import ENGAGE_PRIOR
from learners.key_sets import numbered
from messages.arrays import DoubleArray, IdArray
from messages.updates import DECAYED_COUNTERS, HALF_LIVES, CounterRows

_TERMINALS, _ENGAGED = DECAYED_COUNTERS.index("terminals"), DECAYED_COUNTERS.index("engaged")
_PRIOR_OF_ALL = 10.0
_PRIOR_OF_EACH = 2.0
"""Watchings that are taken to have gone as usual: of all contents, and of each category as all of them."""


def category_worth(categories: IdArray, counters: CounterRows, now: float) -> tuple[IdArray, DoubleArray]:
    """Return each category, uint64 [c], rising, and how much of what was watched of it was engaged with, over
    the same of all, float64 [c]: 1 is as usual, and so is what nobody watched.

    categories: of n contents, uint64 [n]. counters: theirs; sums of the last hour or so are taken, so that a
    category which is liked again shows it soon. now: epoch seconds.
    """
    fade = np.exp2(-np.maximum(now - counters.times, 0.0) / HALF_LIVES[0])
    numbers, firsts = numbered(categories)
    watched = np.bincount(numbers, counters.decayed[:, 0, _TERMINALS] * fade, len(firsts))
    engaged = np.bincount(numbers, counters.decayed[:, 0, _ENGAGED] * fade, len(firsts))
    usual = (engaged.sum() + _PRIOR_OF_ALL * ENGAGE_PRIOR) / (watched.sum() + _PRIOR_OF_ALL)
    worth = (engaged / usual + _PRIOR_OF_EACH) / (watched + _PRIOR_OF_EACH)
    rising = np.argsort(categories[firsts])
    return categories[firsts][rising], worth[rising]
