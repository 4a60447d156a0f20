"""What places cost a group of contents, so that its share of the exposure stays within bounds over time."""

from __future__ import annotations

import numpy as np

from messages.arrays import DoubleArray, IdArray
from messages.identifiers import MISSING_KEY


class ExposurePrices:
    """Group key -> a price for too much exposure and a reward for too little, moved by every slate.

    Dual ascent on the constraints low <= exposure <= high, each summed over requests (online allocation by
    dual mirror descent: Balseiro, Lu and Mirrokni, arXiv 2011.10124; amortized fairness: Biega, Gummadi and
    Weikum, SIGIR 2018). While no price stands at `max_price`, T requests break a bound by at most
    max_price / (step * T) on average, whatever comes. A group without a price is as one never heard of, so
    forgetting it loses nothing: state is bounded by `max_groups`, the smallest prices going first. One
    thread; a function of the slates observed, in their order.
    """

    def __init__(
        self, *, min_ratio: float, max_share: float, step: float, max_price: float, max_groups: int
    ) -> None:
        """min_ratio: low is this much of a group's share of the candidates. max_share: high."""
        self._min_ratio = min_ratio
        self._max_share = max_share
        self._step = step
        self._max_price = max_price
        self._max_groups = max_groups
        self._prices: dict[int, tuple[float, float]] = {}  # group -> reward, price

    def __len__(self) -> int:
        return len(self._prices)

    def adjustments(self, groups: IdArray) -> DoubleArray:
        """Return reward less price of each content's group, float64 [n]. groups: uint64 [n]."""
        if not self._prices:
            return np.zeros(len(groups))
        known, inverse = np.unique(groups, return_inverse=True)
        nets = [reward - price for reward, price in map(self._of, known.tolist())]
        net: DoubleArray = np.array(nets)[inverse]
        return net

    def observe(self, candidates: IdArray, shown: IdArray) -> None:
        """Take in one slate: the groups of all candidates and those of the contents shown, best first.

        A place's exposure is 1 / log2(place + 1) (DCG's discount), the slate's adds up to 1.
        """
        exposure = _shares(shown, 1 / np.log2(np.arange(len(shown)) + 2))
        supply = _shares(candidates, np.ones(len(candidates)))
        for group in dict.fromkeys((*self._prices, *exposure, *supply)):
            reward, price = self._of(group)
            got = exposure.get(group, 0.0)
            reward = self._moved(reward, self._min_ratio * supply.get(group, 0.0) - got)
            price = self._moved(price, got - self._max_share)
            if reward or price:
                self._prices[group] = reward, price
            else:
                self._prices.pop(group, None)
        if len(self._prices) > self._max_groups:
            dearest = sorted(self._prices, key=lambda group: -sum(self._prices[group]))
            self._prices = {group: self._prices[group] for group in dearest[: self._max_groups]}

    def _moved(self, value: float, violation: float) -> float:
        return min(max(value + self._step * violation, 0.0), self._max_price)

    def _of(self, group: int) -> tuple[float, float]:
        return self._prices.get(group, (0.0, 0.0))


def _shares(groups: IdArray, weights: DoubleArray) -> dict[int, float]:
    """Sum weights by group, as shares of all; contents of no group count in the whole alone."""
    known, inverse = np.unique(groups, return_inverse=True)
    sums = np.bincount(inverse, weights=weights, minlength=len(known)) / max(float(weights.sum()), 1e-12)
    shares = dict(zip(known.tolist(), sums.tolist(), strict=True))
    shares.pop(MISSING_KEY, None)
    return shares
