"""What places cost a group of contents, so that its share of the exposure stays within bounds over time."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit

from learners.key_sets import first_of_each
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
        self._groups: IdArray = np.empty(0, dtype=np.uint64)
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
        worth = np.ones(len(available)) if worth is None else worth
        discounts, exposure_of_all = _discounts(len(shown))
        groups, rewards, prices = _moved(
            self._groups,
            self._rewards,
            self._prices,
            available,
            worth,
            shown,
            discounts,
            exposure_of_all,
            self._min_ratio,
            self._max_share,
            self._step,
            self._max_price,
        )
        if len(groups) > self._max_groups:
            kept = np.lexsort((groups, -(rewards + prices)))[: self._max_groups]
            groups, rewards, prices = groups[kept], rewards[kept], prices[kept]
        self._groups, self._rewards, self._prices = groups, rewards, prices


@lru_cache(maxsize=64)
def _discounts(count: int) -> tuple[DoubleArray, float]:
    """Return what each place of a slate is seen, float64 [count], and the sum of it."""
    discounts = 1 / np.log2(np.arange(count) + 2)
    return discounts, float(discounts.sum())


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _moved(
    groups: Any,
    rewards: Any,
    prices: Any,
    available: Any,
    worth: Any,
    shown: Any,
    exposure: Any,
    exposure_of_all: Any,
    min_ratio: Any,
    high: Any,
    step: Any,
    highest: Any,
) -> Any:
    """Return groups, rewards and prices after one slate, those groups alone that have either.

    Contents of no group count in the whole alone. worth, exposure: of each content available and shown.
    """
    keys = np.concatenate((groups, available, shown))
    numbers = np.empty(len(keys), dtype=np.int64)
    firsts = first_of_each(keys, numbers, 0)
    supplied, exposed = np.zeros(len(firsts)), np.zeros(len(firsts))
    worth_of_all = 0.0
    for index in range(len(available)):
        supplied[numbers[len(groups) + index]] += worth[index]
        worth_of_all += worth[index]
    for index in range(len(shown)):
        exposed[numbers[len(groups) + len(available) + index]] += exposure[index]
    mean_worth = worth_of_all / max(len(available), 1)
    new_groups, num = np.empty(len(firsts), dtype=np.uint64), 0
    new_rewards, new_prices = np.empty(len(firsts)), np.empty(len(firsts))
    for number, first in enumerate(firsts):
        if keys[first] == MISSING_KEY:
            continue
        reward = price = 0.0
        if number < len(groups):  # they come first, each once
            reward, price = rewards[number], prices[number]
        got = exposed[number] / max(exposure_of_all, 1e-12)
        low = min_ratio * (supplied[number] / max(worth_of_all, 1e-12) * mean_worth)
        reward = min(max(reward + step * (low - got), 0.0), highest)
        price = min(max(price + step * (got - high), 0.0), highest)
        if reward > 0 or price > 0:
            new_groups[num], new_rewards[num], new_prices[num] = keys[first], reward, price
            num += 1
    return new_groups[:num], new_rewards[:num], new_prices[:num]


def looked_up(keys: IdArray, values: DoubleArray, wanted: IdArray, missing: float = 0.0) -> DoubleArray:
    """Return the value of each wanted key, float64 [n], `missing` where there is none. keys: each once."""
    found = np.empty(len(wanted))
    _look_up(keys, values, wanted, missing, found)
    return found


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _look_up(keys: Any, values: Any, wanted: Any, missing: Any, found: Any) -> None:
    numbers = np.empty(len(keys) + len(wanted), dtype=np.int64)
    first_of_each(np.concatenate((keys, wanted)), numbers, 0)
    for index in range(len(wanted)):
        number = numbers[len(keys) + index]  # a key's number is its position, since each is there once
        found[index] = values[number] if number < len(keys) else missing
