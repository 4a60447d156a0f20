"""Scaling of the network's numbers, its statistics kept online (specification, section 2.3).

The statistics are arrays beside the dense weights: a learner pushes what a batch adds to them in the same
update as its gradients, the shards add up (`parameter_server/stream_statistics.py`), and everybody who has
the weights has the statistics of the same version. So training and serving scale alike, every row counts
exactly once, and what a row is scaled with is known before the row. (Statistics of a stream as parameters of
the model: data normalization in PaddlePaddle's recommenders.)

z-scores are divided by two standard deviations (Gelman, Statistics in Medicine 2008), so that a feature of
few values moves about as much as a yes or no, and bounded. Min-max maps what was seen to [-1, 1].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from learners.features.schema import COUNTER_FEATURES, DENSE_FEATURES
from messages.arrays import DoubleArray, FloatArray

ScalingMethod: TypeAlias = Literal["z_score", "min_max", "none"]

MOMENTS = "scaling.moments"
"""[3, F]: number of rows, sum, sum of squares."""

EXTREMES = "scaling.extremes"
"""[2, F]: the largest of each number, and the largest of its negative."""

STATISTICS: tuple[str, ...] = (MOMENTS, EXTREMES)

NUM_SCALED = len(DENSE_FEATURES) + len(COUNTER_FEATURES)
"""F: the dense features, then the counter features."""

_PRIOR_ROWS = 50.0
"""Before anything is seen a number is taken to have mean 0 and variance 1, as if in so many rows."""

_LEAST_VARIANCE = 1e-4
_BOUND = np.float32(2.5)
_UNSEEN = np.finfo(np.float32).min


@dataclass(frozen=True, slots=True)
class Scaling:
    """x -> (x - shift) * factor, bounded. shift, factor: float32 [F]; bound: the largest size of a result."""

    shift: FloatArray
    factor: FloatArray
    bound: np.float32

    def apply(self, dense: FloatArray, counters: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Scale n rows. dense: float32 [n, D]. counters: float32 [n, C]."""
        split = dense.shape[1]
        return (
            np.clip((dense - self.shift[:split]) * self.factor[:split], -self.bound, self.bound),
            np.clip((counters - self.shift[split:]) * self.factor[split:], -self.bound, self.bound),
        )


def initial_statistics(method: ScalingMethod) -> dict[str, FloatArray]:
    """Return the arrays that a method keeps, before any row."""
    if method == "z_score":
        moments = np.array([[_PRIOR_ROWS], [0.0], [_PRIOR_ROWS]], dtype=np.float32)
        return {MOMENTS: np.repeat(moments, NUM_SCALED, axis=1)}
    if method == "min_max":
        return {EXTREMES: np.full((2, NUM_SCALED), _UNSEEN, dtype=np.float32)}
    return {}


def scaling_of(weights: Mapping[str, Any]) -> Scaling | None:
    """Return the scaling that a model's arrays say, None for one that scales nothing."""
    if MOMENTS in weights:
        return z_score_scaling(weights[MOMENTS])
    return min_max_scaling(weights[EXTREMES]) if EXTREMES in weights else None


def z_score_scaling(moments: FloatArray) -> Scaling:
    """Return x -> (x - mean) / (2 standard deviations), at most 2.5 in size."""
    rows, sums, squares = moments.astype(np.float64)
    means = sums / rows
    variances = np.maximum(squares / rows - means * means, _LEAST_VARIANCE)
    return _scaling(means, 0.5 / np.sqrt(variances), _BOUND)


def min_max_scaling(extremes: FloatArray) -> Scaling:
    """Return x -> 2 (x - min) / (max - min) - 1; 0 for a number that never differed."""
    highest, lowest = extremes[0].astype(np.float64), -extremes[1].astype(np.float64)
    differs = highest > lowest
    ranges = np.where(differs, highest - lowest, 1.0)
    return _scaling(np.where(differs, (highest + lowest) / 2, 0.0), differs * 2 / ranges, np.float32(1))


def batch_statistics(
    weights: Mapping[str, Any], dense: FloatArray, counters: FloatArray
) -> dict[str, FloatArray]:
    """Return what k rows, not yet scaled, add to the arrays that `weights` has. float32 [k, D], [k, C]."""
    kept = [name for name in STATISTICS if name in weights]
    if not kept or not len(dense):
        return {}
    numbers = np.concatenate([dense, counters], axis=1)
    if EXTREMES in kept:
        return {EXTREMES: np.stack([numbers.max(axis=0), (-numbers).max(axis=0)])}
    exact = numbers.astype(np.float64)
    rows = np.full(exact.shape[1], len(exact), dtype=np.float64)
    return {MOMENTS: np.stack([rows, exact.sum(axis=0), (exact * exact).sum(axis=0)]).astype(np.float32)}


def _scaling(shift: DoubleArray, factor: DoubleArray, bound: np.float32) -> Scaling:
    return Scaling(shift.astype(np.float32), factor.astype(np.float32), bound)
