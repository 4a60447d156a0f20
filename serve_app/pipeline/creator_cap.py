"""No slate full of one creator."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from messages.arrays import BoolArray, IdArray, IntArray
from messages.identifiers import MISSING_KEY

_OPEN, _TAKEN, _LIMIT = 0, 1, 2


class CreatorCap:
    """Which of n contents may take the next place, as places are taken one by one.

    A creator's further contents wait once `limit` of them are placed, and come in again only when nobody else
    has anything left: a catalogue of one creator still fills a slate. limit 0 means no cap.
    """

    def __init__(self, creator_keys: IdArray, limit: int) -> None:
        count = len(creator_keys)
        self._state = (
            creator_keys,
            np.ones(count, dtype=np.bool_),
            np.empty(count, dtype=np.int64),
            np.array([count, 0, limit], dtype=np.int64),
        )

    @property
    def open(self) -> BoolArray:
        """bool [n]; a view that `place` changes."""
        return self._state[1]

    @property
    def num_open(self) -> int:
        return int(self._state[3][_OPEN])

    def first_open(self, order: IntArray) -> int:
        """Return the first open position in `order`, -1 where it holds none."""
        return int(_first_open(self.open, order))

    def place(self, position: int) -> None:
        """Take the content at `position`, which must be open, for the next place."""
        _place(self._state, position)

    def follow(self, order: IntArray, places: IntArray, num_open: IntArray) -> int:
        """Fill places one after the other with the first open position in `order`, and write how many were
        open to each; int64 [k] both. Return how many were filled: less than k where `order` had none left."""
        return int(_follow(self._state, order, places, num_open))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _first_open(is_open: Any, order: Any) -> Any:
    for position in order:
        if is_open[position]:
            return position
    return -1


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _place(state: Any, position: Any) -> None:
    creators, is_open, taken, numbers = state
    taken[numbers[_TAKEN]] = position
    numbers[_TAKEN] += 1
    is_open[position] = False
    numbers[_OPEN] -= 1
    creator = creators[position]
    if numbers[_LIMIT] > 0 and creator != MISSING_KEY:
        count = 0  # among what is placed, which is little: no need to number all creators
        for index in range(numbers[_TAKEN]):
            count += creators[taken[index]] == creator
        if count >= numbers[_LIMIT]:
            for other in range(len(creators)):
                if creators[other] == creator and is_open[other]:
                    is_open[other] = False
                    numbers[_OPEN] -= 1
    if numbers[_OPEN] == 0 and numbers[_TAKEN] < len(creators):
        is_open[:] = True
        for index in range(numbers[_TAKEN]):
            is_open[taken[index]] = False
        numbers[_OPEN] = len(creators) - numbers[_TAKEN]
        numbers[_LIMIT] = 0


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _follow(state: Any, order: Any, places: Any, num_open: Any) -> Any:
    is_open, numbers = state[1], state[3]
    for place in range(len(places)):
        position = _first_open(is_open, order)
        if position < 0:
            return place
        places[place] = position
        num_open[place] = numbers[_OPEN]
        _place(state, position)
    return len(places)
