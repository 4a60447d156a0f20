"""Whether the arms got the people they should have: if not, nothing else that is measured can be trusted.

The counts are held against the shares by a Dirichlet mixture of multinomials, whose likelihood ratio is a
martingale when the shares are right: it may be looked at after every person (Lindon and Malek, "Anytime-valid
inference for multinomial count data", arXiv 2011.03567). Where it is looked at once, Pearson's test.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import special

from messages.arrays import DoubleArray, IntArray

DEFAULT_CONCENTRATION = 100.0
"""Of the mixture about the intended shares: deviations of some percentage points are looked for."""


def log_evidence(
    counts: IntArray, shares: DoubleArray, concentration: float = DEFAULT_CONCENTRATION
) -> DoubleArray:
    """Return the log likelihood ratio against the shares. counts: [..., arms]. shares: [arms], sum 1."""
    numbers = np.asarray(counts, dtype=np.float64)
    prior = concentration * np.asarray(shares, dtype=np.float64)
    total = numbers.sum(axis=-1)
    mixture = special.gammaln(concentration) - special.gammaln(concentration + total)
    mixture = mixture + (special.gammaln(prior + numbers) - special.gammaln(prior)).sum(axis=-1)
    return np.asarray(mixture - (numbers * np.log(shares)).sum(axis=-1), dtype=np.float64)


class SampleRatioTest:
    """Always valid: `p_value` is the smallest so far, and falls below alpha with a chance of at most alpha.

    shares: intended, above 0; they are scaled to sum 1.
    """

    def __init__(
        self, shares: Sequence[float], concentration: float = DEFAULT_CONCENTRATION, p_value: float = 1.0
    ) -> None:
        self._shares = np.asarray(shares, dtype=np.float64)
        if len(self._shares) < 2 or not (self._shares > 0).all():
            raise ValueError("a sample ratio needs two arms or more, each with a share above 0")
        self._shares = self._shares / self._shares.sum()
        self._concentration = concentration
        self._p_value = np.asarray(p_value, dtype=np.float64)

    def look(self, counts: IntArray) -> DoubleArray:
        """Return the always-valid p-value. counts: people by arm so far, [..., arms]. Returns [...]."""
        evidence = log_evidence(counts, self._shares, self._concentration)
        self._p_value = np.minimum(self._p_value, np.exp(-np.maximum(evidence, 0.0)))
        return self._p_value

    @property
    def p_value(self) -> DoubleArray:
        return self._p_value


def fixed_size_p_value(counts: IntArray, shares: Sequence[float]) -> float:
    """Pearson's chi-square test, for one look that was planned before. counts: [arms]."""
    expected = np.asarray(shares, dtype=np.float64) / np.sum(shares) * np.sum(counts)
    counted = np.asarray(counts, dtype=np.float64)
    distance = ((counted - expected) ** 2 / expected).sum()
    return float(special.chdtrc(len(counted) - 1, distance))
