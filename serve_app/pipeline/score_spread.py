"""How far the scores of one request lie apart: the unit in which stages move them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from messages.arrays import DoubleArray


def deviation_of(scores: DoubleArray) -> float:
    """Return the standard deviation of the scores that are finite, 0 where none is. scores: float64 [n]."""
    return float(deviation(scores))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def deviation(scores: Any) -> Any:
    """Do the same inside a compiled step: two passes, as numpy takes them, without the arrays between."""
    count, total, squares = 0, 0.0, 0.0
    for score in scores:
        if np.isfinite(score):
            count += 1
            total += score
    if count == 0:
        return 0.0
    mean = total / count
    for score in scores:
        if np.isfinite(score):
            squares += (score - mean) * (score - mean)
    return np.sqrt(squares / count)
