"""No slate full of one creator."""

from __future__ import annotations

import numpy as np

from messages.arrays import BoolArray, IdArray, IntArray
from messages.identifiers import MISSING_KEY


class CreatorCap:
    """Which of n contents may take the next place, as places are taken one by one.

    A creator's further contents wait once `limit` of them are placed, and come in again only when nobody else
    has anything left: a catalogue of one creator still fills a slate. limit 0 means no cap.
    """

    def __init__(self, creator_keys: IdArray, limit: int) -> None:
        self._creator_keys = creator_keys
        self._limit = limit
        self._placed = np.zeros(len(creator_keys), dtype=np.bool_)
        self._open = np.ones(len(creator_keys), dtype=np.bool_)
        self._num_open = len(creator_keys)
        self._num_left = len(creator_keys)
        self._counts: dict[int, int] = {}

    @property
    def open(self) -> BoolArray:
        """bool [n]; a view that `place` changes."""
        return self._open

    @property
    def num_open(self) -> int:
        return self._num_open

    def first_open(self, order: IntArray) -> int:
        """Return the first open position in `order`, which must hold one."""
        start, length = 0, 32  # it mostly stands near the front: a look at all costs more
        while True:
            part = order[start : start + length]
            at = int(self._open[part].argmax())
            if self._open[part[at]]:
                return int(part[at])
            start, length = start + length, 4 * length

    def place(self, position: int) -> None:
        """Take the content at `position`, which must be open, for the next place."""
        self._placed[position] = True
        self._open[position] = False
        self._num_open -= 1
        self._num_left -= 1
        creator = int(self._creator_keys[position])
        if self._limit and creator != MISSING_KEY:
            count = self._counts[creator] = self._counts.get(creator, 0) + 1
            if count >= self._limit:
                self._open[self._creator_keys == self._creator_keys[position]] = False
                self._num_open = int(np.count_nonzero(self._open))
        if self._num_open == 0 and self._num_left:
            self._open = ~self._placed
            self._num_open = self._num_left
            self._limit = 0
