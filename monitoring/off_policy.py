"""What another policy would have earned, from what this one showed and with which chance it showed it.

IPS weighs each row by target by logged propensity (Horvitz and Thompson); SNIPS divides by the weights' mean,
a little bias for much less variance (Swaminathan and Joachims, NeurIPS 2015); DR adds the weighted error of a
reward model to what the model expects, and is right where either of the two is (Dudik, Langford and Li,
arXiv 1103.4601). Rows of one person are not independent: intervals count clusters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy import special

from messages.arrays import AnyArray, DoubleArray

Estimator: TypeAlias = Literal["ips", "snips", "dr"]


class OffPolicyError(ValueError):
    """The log does not allow the estimate; the text says why."""


@dataclass(frozen=True, slots=True)
class LoggedRows:
    """n rows of a log. rewards: float64 [n]. propensities: the chance of what was shown, in (0, 1], and
    target_propensities: of the same by the other policy, in [0, 1], float64 [n] each.

    clusters: [n], whose rows depend on one another (the person), or None. predicted: a reward model's
    expectation for what was shown, and predicted_target: its mean over the target policy, float64 [n] each;
    only DR needs them.
    """

    rewards: DoubleArray
    propensities: DoubleArray
    target_propensities: DoubleArray
    clusters: AnyArray | None = None
    predicted: DoubleArray | None = None
    predicted_target: DoubleArray | None = None

    def __post_init__(self) -> None:
        lengths = {
            len(column)
            for column in (
                self.rewards, self.propensities, self.target_propensities,
                self.clusters, self.predicted, self.predicted_target,
            )
            if column is not None
        }  # fmt: skip
        if len(lengths) != 1:
            raise OffPolicyError(f"columns of one log differ in length: {sorted(lengths)}")
        if len(self.rewards) < 2:
            raise OffPolicyError("an estimate needs two rows or more")
        if not ((self.propensities > 0) & (self.propensities <= 1)).all():
            raise OffPolicyError("logged propensities must lie in (0, 1]: what cannot be shown is not logged")
        if not ((self.target_propensities >= 0) & (self.target_propensities <= 1)).all():
            raise OffPolicyError("target propensities must lie in [0, 1]")
        if not np.isfinite(self.rewards).all():
            raise OffPolicyError("rewards must be finite")

    def weights(self, max_weight: float = float("inf")) -> DoubleArray:
        """Return target by logged propensity, at most `max_weight` (which biases towards 0), float64 [n]."""
        ratios = np.asarray(self.target_propensities, np.float64) / np.asarray(self.propensities, np.float64)
        return np.minimum(ratios, max_weight)


@dataclass(frozen=True, slots=True)
class OffPolicyEstimate:
    """A policy's mean reward per row, with its interval.

    effective_rows: how many rows of its own the weighted log is worth (Kish). mean_weight: 1 but for chance
    if propensities are right and the logging policy shows all that the target does.
    """

    value: float
    low: float
    high: float
    standard_error: float
    effective_rows: float
    mean_weight: float
    num_rows: int

    def numbers(self, prefix: str) -> dict[str, float]:
        return {f"{prefix}_value": self.value, f"{prefix}_low": self.low, f"{prefix}_high": self.high}


def estimate_value(
    rows: LoggedRows, estimator: Estimator, *, confidence: float = 0.95, max_weight: float = float("inf")
) -> OffPolicyEstimate:
    """Estimate the target policy's value. Raises OffPolicyError where nothing of the log is its doing."""
    weights = rows.weights(max_weight)
    value, pulls = _value_and_pulls(rows, estimator, weights)
    return _with_interval(rows, value, pulls, weights, confidence)


def estimate_gain(
    rows: LoggedRows, estimator: Estimator, *, confidence: float = 0.95, max_weight: float = float("inf")
) -> OffPolicyEstimate:
    """Estimate target less logging policy: in pairs, so that what both have in common cancels."""
    weights = rows.weights(max_weight)
    value, pulls = _value_and_pulls(rows, estimator, weights)
    logged = float(rows.rewards.mean())
    return _with_interval(rows, value - logged, pulls - (rows.rewards - logged), weights, confidence)


def logged_value(rows: LoggedRows, *, confidence: float = 0.95) -> OffPolicyEstimate:
    """Return what the logging policy itself earned."""
    value = float(rows.rewards.mean())
    return _with_interval(rows, value, rows.rewards - value, np.ones(len(rows.rewards)), confidence)


def _value_and_pulls(
    rows: LoggedRows, estimator: Estimator, weights: DoubleArray
) -> tuple[float, DoubleArray]:
    """Return the estimate and, float64 [n], each row's pull on it (its influence: mean 0)."""
    if weights.sum() <= 0:
        raise OffPolicyError("the target policy never does what the log shows")
    if estimator == "snips":
        value = float(weights @ rows.rewards / weights.sum())
        return value, weights * (rows.rewards - value) / weights.mean()
    if estimator == "ips":
        parts = weights * rows.rewards
    else:
        if rows.predicted is None or rows.predicted_target is None:
            raise OffPolicyError("dr needs a reward model's expectations")
        parts = rows.predicted_target + weights * (rows.rewards - rows.predicted)
    value = float(parts.mean())
    return value, parts - value


def _with_interval(
    rows: LoggedRows, value: float, pulls: DoubleArray, weights: DoubleArray, confidence: float
) -> OffPolicyEstimate:
    count = len(pulls)
    effective = float(weights.sum() ** 2 / (weights**2).sum())
    if rows.clusters is None:
        sums, num_clusters = pulls, count
    else:
        _, which = np.unique(rows.clusters, return_inverse=True)
        sums = np.bincount(which, weights=pulls).astype(np.float64)
        num_clusters = len(sums)
    if num_clusters < 2:
        raise OffPolicyError("an interval needs rows of two people or more")
    error = float(np.sqrt((sums**2).sum() * num_clusters / (num_clusters - 1)) / count)
    # Few rows with large weights know their own spread badly: Student's t, by how many there really are.
    freedom = max(min(float(num_clusters), effective) - 1, 1.0)
    reach = float(special.stdtrit(freedom, 0.5 + confidence / 2)) * error
    return OffPolicyEstimate(
        value=value,
        low=value - reach,
        high=value + reach,
        standard_error=error,
        effective_rows=effective,
        mean_weight=float(weights.mean()),
        num_rows=count,
    )
