"""The rows with the highest keys, kept up to date as keys change: what is trending, what is fresh."""

from __future__ import annotations

import numpy as np

from messages.arrays import DoubleArray, IntArray
from serve_app.growing_array import GrowingArray


class TopRows:
    """Row number -> key, and the `capacity` rows whose keys are highest.

    A change costs O(changed + capacity) and no pass over all rows: a row outside the top that did not change
    stays below everything in it, unless keys in the top fell; then the top is found again from all rows when
    it is next asked for.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._keys = GrowingArray(np.float64, fill=-np.inf)
        self._top: IntArray = np.empty(0, dtype=np.int64)
        self._floor = -np.inf  # no row outside the top has a higher key
        self._stale = False

    def put(self, rows: IntArray, keys: DoubleArray) -> None:
        """Set the keys of rows, unique; -inf takes a row out."""
        if not len(rows):
            return
        self._keys.reserve(int(rows.max()) + 1)
        values = self._keys.values
        fell = keys < values[rows]
        values[rows] = keys
        candidates = np.union1d(self._top, rows[keys > self._floor])
        self._top = self._highest(candidates)
        if fell.any() and self._floor > -np.inf:
            lowest = values[self._top].min(initial=np.inf)
            self._stale = self._stale or len(self._top) < self._capacity or bool(lowest < self._floor)

    def remove(self, rows: IntArray) -> None:
        self.put(rows, np.full(len(rows), -np.inf))

    def top(self, count: int) -> IntArray:
        """Return up to `count` (at most capacity) row numbers, highest key first."""
        if self._stale:
            self._floor = -np.inf
            self._top = self._highest(np.flatnonzero(self._keys.values > -np.inf))
            self._stale = False
        return self._top[:count]

    def _highest(self, rows: IntArray) -> IntArray:
        """Sort rows by key, drop those without one, keep `capacity`, and note what was left outside."""
        keys = self._keys.values[rows]
        present = keys > -np.inf
        rows, keys = rows[present], keys[present]
        order = np.lexsort((rows, -keys))
        if len(order) > self._capacity:
            self._floor = max(self._floor, float(keys[order[self._capacity]]))
        return rows[order[: self._capacity]]
