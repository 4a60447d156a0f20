"""What places cost a group of contents, so that its share of the exposure stays within bounds over time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from learners.key_sets import KeySet, numbered
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
        """min_ratio: low is this much of a group's share of what there is. max_share: high."""
        self._min_ratio = min_ratio
        self._max_share = max_share
        self._step = step
        self._max_price = max_price
        self._max_groups = max_groups
        self._groups: IdArray = np.empty(0, dtype=np.uint64)  # rising
        self._rewards: DoubleArray = np.empty(0)
        self._prices: DoubleArray = np.empty(0)

    def __len__(self) -> int:
        return len(self._groups)

    def adjustments(self, groups: IdArray) -> DoubleArray:
        """Return reward less price of each content's group, float64 [n]. groups: uint64 [n]."""
        return looked_up(self._groups, self._rewards - self._prices, groups)

    def observe(self, available: IdArray, shown: IdArray, worth: DoubleArray | None = None) -> None:
        """Take in one slate: the groups of n contents that there are to show, and those of what was shown,
        best first.

        worth: how much each of the n counts, float64 [n]; 1 where left out. A place's exposure is
        1 / log2(place + 1) (DCG's discount), the slate's adds up to 1.
        """
        exposed, exposure = _shares(shown, 1 / np.log2(np.arange(len(shown)) + 2))
        worth = np.ones(len(available)) if worth is None else worth
        supplied, supply = _shares(available, worth)
        supply *= worth.sum() / max(len(worth), 1)
        groups, rewards, prices = _moved(
            (self._groups, self._rewards, self._prices),
            (exposed, exposure),
            (supplied, self._min_ratio * supply),
            self._max_share,
            self._step,
            self._max_price,
        )
        if len(groups) > self._max_groups:
            dearest = np.argsort(-(rewards + prices), kind="stable")[: self._max_groups]
            kept = np.sort(dearest)
            groups, rewards, prices = groups[kept], rewards[kept], prices[kept]
        self._groups, self._rewards, self._prices = groups, rewards, prices


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _moved(kept: Any, exposed: Any, wanted: Any, high: Any, step: Any, highest: Any) -> Any:
    """Return groups, rewards and prices after one slate, those groups alone that have either, rising.

    kept: groups, rewards and prices so far. exposed: groups and what each got; wanted: groups and the least
    that each is to get; groups rising in each.
    """
    groups, rewards, prices = kept
    got_groups, got = exposed
    low_groups, low = wanted
    size = len(groups) + len(got_groups) + len(low_groups)
    new_groups, num = np.empty(size, dtype=np.uint64), 0
    new_rewards, new_prices = np.empty(size), np.empty(size)
    at, at_got, at_low = 0, 0, 0
    for _ in range(size):
        group, found = np.uint64(0), False
        if at < len(groups):
            group, found = groups[at], True
        if at_got < len(got_groups) and (not found or got_groups[at_got] < group):
            group, found = got_groups[at_got], True
        if at_low < len(low_groups) and (not found or low_groups[at_low] < group):
            group, found = low_groups[at_low], True
        if not found:
            break
        reward = price = exposure = least = 0.0
        if at < len(groups) and groups[at] == group:
            reward, price = rewards[at], prices[at]
            at += 1
        if at_got < len(got_groups) and got_groups[at_got] == group:
            exposure = got[at_got]
            at_got += 1
        if at_low < len(low_groups) and low_groups[at_low] == group:
            least = low[at_low]
            at_low += 1
        reward = min(max(reward + step * (least - exposure), 0.0), highest)
        price = min(max(price + step * (exposure - high), 0.0), highest)
        if reward > 0 or price > 0:
            new_groups[num], new_rewards[num], new_prices[num] = group, reward, price
            num += 1
    return new_groups[:num], new_rewards[:num], new_prices[:num]


def _shares(groups: IdArray, weights: DoubleArray) -> tuple[IdArray, DoubleArray]:
    """Sum weights by group, as shares of all; contents of no group count in the whole alone."""
    numbers, firsts = numbered(groups)
    known = groups[firsts]
    sums = np.bincount(numbers, weights=weights, minlength=len(known)) / max(float(weights.sum()), 1e-12)
    rising = np.argsort(known)
    rising = rising[known[rising] != MISSING_KEY]
    return known[rising], sums[rising]


def looked_up(keys: IdArray, values: DoubleArray, wanted: IdArray, missing: float = 0.0) -> DoubleArray:
    """Return the value of each wanted key, float64 [n], `missing` where there is none. keys: rising."""
    if not len(keys):
        return np.full(len(wanted), missing)
    places = KeySet(keys).places(wanted)
    return np.where(places < 0, missing, values[places])
