"""Arrays beside the dense weights that count a stream instead of descending a loss."""

from __future__ import annotations

import numpy as np

from messages.arrays import FloatArray

_MOST = np.float32(1 << 20)


def add_to_sums(values: FloatArray, added: FloatArray) -> None:
    """Add in place, float32, same shape. Past 2^20 everything is halved: float32 would lose small additions
    (it knows 24 bits), and ratios of the sums stay what they are while old rows fade."""
    values += added
    if values.max(initial=0) > _MOST:
        values *= np.float32(0.5)


def raise_maxima(values: FloatArray, seen: FloatArray) -> None:
    """Keep the larger of both in place, float32, same shape."""
    np.maximum(values, seen, out=values)
