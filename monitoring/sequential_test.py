"""A test that may be looked at after every batch: the chance of ever being wrong stays below alpha.

The statistic is the mixture sequential probability ratio test with a normal mixture (Johari, Pekelis and
Walsh, "Always valid inference", arXiv 1512.04922); inverted, it is the asymptotic confidence sequence of
Waudby-Smith et al. (arXiv 2103.06476, theorem 2.2), which asks for no distribution, only that the estimate
is nearly normal when the first look is taken: hence `min_users` of whoever calls.

With V the estimate's variance now and T that of the mixture, the interval at level alpha reaches
sqrt(V (V + T) / T * (2 log(1/alpha) + log((V + T) / V))) to either side. It holds at all looks together where
the estimate's increments are uncorrelated with the estimate so far; sums over people who come back do so,
each with a level of their own, if V is computed by person (`monitoring.user_moments`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from messages.arrays import BoolArray, DoubleArray


def mixture_variance(planned_variance: DoubleArray | float, alpha: float) -> DoubleArray:
    """Return the mixture's variance that makes the interval tightest where the estimate has the planned one.

    arXiv 2103.06476, equation (32), with V in place of 1 / t. planned_variance: [...]. Returns [...].
    """
    looseness = -2 * np.log(alpha)
    return np.asarray(planned_variance * (looseness + np.log(looseness + 1)), dtype=np.float64)


def interval_radius(variance: DoubleArray, mixture: DoubleArray, alpha: float) -> DoubleArray:
    """Return half the width of the confidence sequence now, [...]; infinite where the variance is not known.

    variance, mixture: [...], above 0 where known.
    """
    v, t = np.broadcast_arrays(np.asarray(variance, np.float64), np.asarray(mixture, np.float64))
    known = np.isfinite(v) & (v > 0) & (t > 0)
    v, t = np.where(known, v, 1.0), np.where(known, t, 1.0)
    radius = np.sqrt(v * (v + t) / t * (-2 * np.log(alpha) + np.log((v + t) / v)))
    return np.asarray(np.where(known, radius, np.inf), dtype=np.float64)


def p_value_now(
    estimate: DoubleArray, variance: DoubleArray, mixture: DoubleArray, null: float = 0.0
) -> DoubleArray:
    """Return one over the mixture likelihood ratio, at most 1, [...]: its running minimum is always valid."""
    v, t = np.asarray(variance, np.float64), np.asarray(mixture, np.float64)
    known = np.isfinite(v) & (v > 0) & (t > 0)
    v, t = np.where(known, v, 1.0), np.where(known, t, 1.0)
    distance = np.where(known, np.asarray(estimate, np.float64) - null, 0.0)
    log_ratio = 0.5 * np.log(v / (v + t)) + distance**2 * t / (2 * v * (v + t))
    return np.asarray(np.where(known, np.exp(-np.maximum(log_ratio, 0.0)), 1.0), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class SequentialLook:
    """What one look says. Arrays [...], one entry per experiment, or of no dimension for a single one.

    low, high: at this and all other looks together they hold the mean effect so far, with chance 1 - alpha.
    p_value: of no effect ever; always valid.
    """

    estimate: DoubleArray
    variance: DoubleArray
    low: DoubleArray
    high: DoubleArray
    p_value: DoubleArray

    @property
    def is_above(self) -> BoolArray:
        """Whether the truth is certainly above 0."""
        return np.asarray(self.low > 0)

    @property
    def is_below(self) -> BoolArray:
        return np.asarray(self.high < 0)

    def numbers(self) -> dict[str, float]:
        """Return a single experiment's look as plain numbers."""
        return {
            "estimate": float(self.estimate),
            "low": float(self.low),
            "high": float(self.high),
            "p_value": float(self.p_value),
        }


class SequentialTest:
    """P-values only fall. Intervals are those of the moment: a model that learns may become better or worse,
    and intersecting them would hold on to what was true before.

    `planned_share` at the first look says how much of the planned sample it is of, in (0, 1]: from its
    variance follows the planned one, and with it the mixture, which then stays. That the first look chooses
    it does no harm: it depends on how much people differ, not on which arm is better.
    """

    def __init__(self, alpha: float = 0.05) -> None:
        if not 0 < alpha < 1:
            raise ValueError(f"alpha {alpha}: must lie between 0 and 1")
        self.alpha = alpha
        self._mixture: DoubleArray | None = None
        self._p_value = np.asarray(1.0)

    def look(self, estimate: DoubleArray, variance: DoubleArray, *, planned_share: float) -> SequentialLook:
        """Take one look. estimate, variance: [...], of the same shape at every look."""
        estimate, variance = np.asarray(estimate, np.float64), np.asarray(variance, np.float64)
        if self._mixture is None:
            if not 0 < planned_share <= 1:
                raise ValueError(f"planned_share {planned_share}: must lie in (0, 1]")
            if not np.all(np.isfinite(variance) & (variance > 0)):
                unknown = np.full_like(estimate, np.inf)
                return SequentialLook(estimate, variance, -unknown, unknown, self._p_value)
            self._mixture = mixture_variance(variance * planned_share, self.alpha)
        radius = interval_radius(variance, self._mixture, self.alpha)
        self._p_value = np.minimum(self._p_value, p_value_now(estimate, variance, self._mixture))
        return SequentialLook(estimate, variance, estimate - radius, estimate + radius, self._p_value)

    def to_wire(self) -> dict[str, Any]:
        """Return what `messages.codec.pack` takes."""
        return {
            "alpha": self.alpha,
            "mixture": self._mixture,
            "p_value": self._p_value,
        }

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> SequentialTest:
        test = cls(wire["alpha"])
        test._mixture = None if wire["mixture"] is None else np.asarray(wire["mixture"], np.float64)
        test._p_value = np.asarray(wire["p_value"], np.float64)
        return test
