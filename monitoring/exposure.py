"""How evenly attention is spread: over creators, over categories."""

from __future__ import annotations

import numpy as np

from messages.arrays import IntArray


def gini(counts: IntArray, population: int | None = None) -> float:
    """Return the Gini coefficient of n counts: 0 if all are equal, near 1 if one has everything.

    population: how many there are with those who got nothing, at least n; None means n. NaN of nothing.
    """
    shown = np.sort(np.asarray(counts, dtype=np.int64))
    total = int(shown.sum())
    size = max(len(shown), population or 0)
    if total == 0:
        return float("nan")
    places = np.arange(size - len(shown) + 1, size + 1, dtype=np.int64)  # those with nothing come first
    weighted = int(np.dot(2 * places - size - 1, shown))
    return weighted / (size * total)


def coverage(num_shown: int, population: int) -> float:
    """Return which share was shown at all; NaN of nothing."""
    return num_shown / population if population else float("nan")


def effective_number(counts: IntArray) -> float:
    """Return how many equally frequent kinds would be as diverse: the exponential of Shannon's entropy."""
    shown = np.sort(np.asarray(counts, dtype=np.float64))
    shown = shown[shown > 0]
    if len(shown) == 0:
        return float("nan")
    shares = shown / shown.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))
