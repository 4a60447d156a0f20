"""The contents that people of a table rate: how, and who rated each of them last."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

import numpy as np

from messages.arrays import DoubleArray, FloatArray, IdArray, IntArray
from serve_app.growing_array import GrowingArray


class RatedContents:
    """Content key -> row number -> the sum and the number of its ratings, and its newest raters.

    A content that nobody rates any more is forgotten, and its number used again. max_raters: kept of each.
    """

    def __init__(self, max_raters: int) -> None:
        self._max_raters = max_raters
        self._rows: dict[int, int] = {}
        self._unused: list[int] = []
        self._raters: list[array[int]] = []
        self._keys = GrowingArray(np.uint64)
        self._totals = GrowingArray(np.float64)
        self._counts = GrowingArray(np.int64)
        self._total = 0.0
        self._num_ratings = 0

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def num_rows(self) -> int:
        """Above every row number."""
        return len(self._raters)

    @property
    def keys(self) -> IdArray:
        """uint64 [capacity], by row number; a view."""
        return self._keys.values

    @property
    def totals(self) -> DoubleArray:
        """The sum of each content's ratings, float64 [capacity], by row number; a view."""
        totals: DoubleArray = self._totals.values
        return totals

    @property
    def counts(self) -> IntArray:
        """How many rate each content, int64 [capacity], by row number; a view."""
        counts: IntArray = self._counts.values
        return counts

    @property
    def mean(self) -> float:
        """Of all ratings, 0 where there are none."""
        return self._total / max(self._num_ratings, 1)

    def rows(self, keys: IdArray) -> IntArray:
        """Return the row number of each content, int64 [n], -1 for one that nobody rates."""
        row_of = self._rows.get
        return np.array([row_of(key, -1) for key in keys.tolist()], dtype=np.int64)

    def raters(self, rows: Iterable[int]) -> IntArray:
        """Return the newest raters of contents behind each other, int64 [m]. It may name people who have
        since forgotten the content: ratings must be compared."""
        met = array("q")
        for row in rows:
            met += self._raters[row]
        return np.array(met, dtype=np.int64)

    def rate(self, keys: IdArray, values: FloatArray, slot: int) -> None:
        """Add the ratings of one person for contents that they have no rating of; each content once."""
        for key in keys.tolist():
            row = self._rows.get(key)
            if row is None:
                row = self._rows[key] = self._new_row(key)
            raters = self._raters[row]
            if slot in raters:
                raters.remove(slot)
            raters.append(slot)
            if len(raters) > self._max_raters:
                del raters[0]
        rows = self.rows(keys)
        self.totals[rows] += values
        self.counts[rows] += 1
        self._total += float(values.sum())
        self._num_ratings += len(keys)

    def forget(self, keys: IdArray, values: FloatArray) -> None:
        """Take back ratings of one person; each content once."""
        rows = self.rows(keys)
        self.totals[rows] -= values
        self.counts[rows] -= 1
        self._total -= float(values.sum())
        self._num_ratings -= len(keys)
        for row in rows[self.counts[rows] == 0].tolist():
            del self._rows[int(self.keys[row])]
            self._raters[row] = array("q")
            self._unused.append(row)

    def _new_row(self, key: int) -> int:
        if self._unused:
            row = self._unused.pop()
        else:
            row = len(self._raters)
            self._raters.append(array("q"))
            for column in (self._keys, self._totals, self._counts):
                column.reserve(row + 1)
        self.keys[row], self.totals[row] = key, 0.0
        return row
