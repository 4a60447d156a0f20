"""Means and ratios by person: the variance that counts people, not the events that one person makes many of.

A ratio of sums (long views by views) is linearized about its value, so its variance is that of one number per
person (the delta method: Deng, Knoblich and Lu, arXiv 1803.06336). What a person did before the experiment
takes out of it what has nothing to do with the experiment (CUPED: Deng, Xu, Kohavi and Walker, WSDM 2013).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from messages.arrays import BoolArray, DoubleArray

NUM_COLUMNS = 4
"""Of one person: numerator and denominator since the start, numerator and denominator before it."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Of the four numbers of n people each: what a difference of ratios needs, and it can be added up.

    count: float64 [...]. sums: [..., 4]. products: sums of products of pairs, [..., 4, 4].
    """

    count: DoubleArray
    sums: DoubleArray
    products: DoubleArray

    @classmethod
    def of(cls, values: DoubleArray) -> Moments:
        """Sum over people. values: [..., n, 4]."""
        values = np.asarray(values, dtype=np.float64)
        return cls(
            count=np.full(values.shape[:-2], values.shape[-2], dtype=np.float64),
            sums=values.sum(axis=-2),
            products=np.swapaxes(values, -1, -2) @ values,
        )

    @classmethod
    def of_totals(
        cls, numerators: DoubleArray, denominators: DoubleArray, before: DoubleArray | None = None
    ) -> Moments:
        """Sum over n people. numerators, denominators: [n]. before: [n, 2] or None."""
        past = np.zeros((len(numerators), 2)) if before is None else before
        return cls.of(np.column_stack([numerators, denominators, past]))

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.count + other.count, self.sums + other.sums, self.products + other.products)

    def covariance(self) -> DoubleArray:
        """Between the four numbers, [..., 4, 4], n - 1 in the denominator; NaN below two people."""
        count = np.where(self.count > 1, self.count, np.nan)[..., None, None]
        outer = self.sums[..., :, None] * self.sums[..., None, :]
        return np.asarray((self.products - outer / count) / (count - 1), dtype=np.float64)

    def ratio(self) -> DoubleArray:
        """Return the numerators' sum by the denominators', [...]; NaN where that is 0."""
        return _divide(self.sums[..., 0], self.sums[..., 1])


@dataclass(frozen=True, slots=True)
class Effect:
    """Treatment less control, and the variance of that estimate, [...].

    control, treatment: the arms' own ratios. explained: the share of variance that the time before took out.
    """

    estimate: DoubleArray
    variance: DoubleArray
    control: DoubleArray
    treatment: DoubleArray
    explained: DoubleArray


def one_sample_ratio(moments: Moments) -> tuple[DoubleArray, DoubleArray]:
    """Return a ratio and its variance by the delta method, [...] each."""
    weights = _linear_weights(moments)
    return moments.ratio(), _quadratic(moments.covariance(), weights) / moments.count


def ratio_effect(control: Moments, treatment: Moments, *, use_history: bool = True) -> Effect:
    """Compare two arms; all shapes broadcast. use_history: adjust for the time before (CUPED).

    A person without history counts as average there, which is allowed: whether one has some was settled
    before the arm was drawn.
    """
    plain = [_linear_weights(arm) for arm in (control, treatment)]
    covariances = [arm.covariance() for arm in (control, treatment)]
    plain_variance = sum(
        _quadratic(covariance, weights) / arm.count
        for covariance, weights, arm in zip(covariances, plain, (control, treatment), strict=True)
    )
    estimate = treatment.ratio() - control.ratio()
    if not use_history:
        nothing = np.zeros_like(estimate)
        return Effect(estimate, np.asarray(plain_variance), control.ratio(), treatment.ratio(), nothing)
    past = _past_weights(control + treatment)
    own = sum(
        arm.count * _bilinear(covariance, weights, past)
        for arm, covariance, weights in zip((control, treatment), covariances, plain, strict=True)
    )
    spread = sum(
        arm.count * _quadratic(covariance, past)
        for arm, covariance in zip((control, treatment), covariances, strict=True)
    )
    slope = np.nan_to_num(_divide(np.asarray(own), np.asarray(spread)))
    means = [_apply(arm.sums, past) / arm.count for arm in (control, treatment)]
    adjusted = [weights - slope[..., None] * past for weights in plain]
    variance = sum(
        _quadratic(covariance, weights) / arm.count
        for covariance, weights, arm in zip(covariances, adjusted, (control, treatment), strict=True)
    )
    return Effect(
        estimate=estimate - slope * (means[1] - means[0]),
        variance=np.asarray(variance),
        control=control.ratio(),
        treatment=treatment.ratio(),
        explained=1 - _divide(np.asarray(variance), np.asarray(plain_variance)),
    )


def _linear_weights(moments: Moments) -> DoubleArray:
    """Of the four numbers, [..., 4]: one person's pull on the ratio, times the number of people."""
    ratio = moments.ratio()
    mean = _divide(moments.sums[..., 1], moments.count)
    nothing = np.zeros_like(ratio)
    return np.stack([_divide(np.ones_like(mean), mean), -_divide(ratio, mean), nothing, nothing], axis=-1)


def _past_weights(both: Moments) -> DoubleArray:
    """Of the four numbers, [..., 4]: how far above what was usual before the start a person was."""
    usual = np.nan_to_num(_divide(both.sums[..., 2], both.sums[..., 3]))
    nothing = np.zeros_like(usual)
    return np.stack([nothing, nothing, np.ones_like(usual), -usual], axis=-1)


def _apply(values: DoubleArray, weights: DoubleArray) -> DoubleArray:
    return np.asarray((values * weights).sum(axis=-1), dtype=np.float64)


def _bilinear(matrix: DoubleArray, left: DoubleArray, right: DoubleArray) -> DoubleArray:
    return np.asarray(np.einsum("...ij,...i,...j->...", matrix, left, right), dtype=np.float64)


def _quadratic(matrix: DoubleArray, weights: DoubleArray) -> DoubleArray:
    return np.maximum(_bilinear(matrix, weights, weights), 0.0)


def _divide(top: DoubleArray, bottom: DoubleArray) -> DoubleArray:
    defined: BoolArray = np.asarray(bottom) != 0
    return np.asarray(np.where(defined, top / np.where(defined, bottom, 1.0), np.nan), dtype=np.float64)
