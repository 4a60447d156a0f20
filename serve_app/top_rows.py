"""The rows with the highest keys, kept up to date as keys change: what is trending, what is fresh."""

from __future__ import annotations

import numpy as np

from messages.arrays import DoubleArray, IntArray
from serve_app.growing_array import GrowingArray


class TopRows:
    """Row number -> key, and the `capacity` rows whose keys are highest.

    A change costs O(changed): deltas change rows many times between two requests, so the top is put in order
    when it is next asked for, O(capacity + changed since). That takes no pass over all rows, for a row
    outside the top that did not change stays below everything in it, unless keys in the top fell.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._keys = GrowingArray(np.float64, fill=-np.inf)
        self._top: IntArray = np.empty(0, dtype=np.int64)
        self._floor = -np.inf  # no row outside the top and `_risen` has a higher key
        self._risen: list[IntArray] = []
        self._num_risen = 0
        self._stale = False  # whether a row of the top has another key than when it was put in order

    def put(self, rows: IntArray, keys: DoubleArray) -> None:
        """Set the keys of rows, unique; -inf takes a row out."""
        if not len(rows):
            return
        self._keys.reserve(int(rows.max()) + 1)
        values = self._keys.values
        before = values[rows]
        values[rows] = keys
        risen = rows[keys > self._floor]
        if len(risen):
            self._risen.append(risen)
            self._num_risen += len(risen)
        self._stale = self._stale or bool(((before >= self._floor) & (keys != before)).any())
        if self._num_risen > self._capacity:  # nobody asks: what waits stays bounded
            self._put_in_order()

    def remove(self, rows: IntArray) -> None:
        self.put(rows, np.full(len(rows), -np.inf))

    def top(self, count: int) -> IntArray:
        """Return up to `count` (at most capacity) row numbers, highest key first."""
        if self._stale or self._risen:
            self._put_in_order()
        return self._top[:count]

    def _put_in_order(self) -> None:
        top = self._highest(np.unique(np.concatenate([self._top, *self._risen])))
        if self._floor > -np.inf:
            lowest = self._keys.values[top].min(initial=np.inf)
            if len(top) < self._capacity or lowest < self._floor:  # one that was left out may be higher
                self._floor = -np.inf
                top = self._highest(self._contenders())
        self._top, self._stale = top, False
        self._risen, self._num_risen = [], 0

    def _contenders(self) -> IntArray:
        """Return all rows that may be in the top, and as few others as are found without sorting."""
        keys = self._keys.values
        first_outside = len(keys) - self._capacity - 1
        least = np.partition(keys, first_outside)[first_outside] if first_outside >= 0 else -np.inf
        return np.flatnonzero((keys >= least) & (keys > -np.inf))

    def _highest(self, rows: IntArray) -> IntArray:
        """Sort rows by key, drop those without one, keep `capacity`, and note what was left outside."""
        keys = self._keys.values[rows]
        present = keys > -np.inf
        rows, keys = rows[present], keys[present]
        order = np.lexsort((rows, -keys))
        if len(order) > self._capacity:
            self._floor = max(self._floor, float(keys[order[self._capacity]]))
        return rows[order[: self._capacity]]
