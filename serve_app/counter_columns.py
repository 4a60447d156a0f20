"""The content counters as a replica holds them: absolute values, replaced by each delta."""

from __future__ import annotations

import numpy as np

from messages.arrays import IdArray, IntArray
from messages.updates import COUNTER_TOTALS, DECAYED_COUNTERS, HALF_LIVES, CounterRows
from parameter_server.cuckoo_index import CuckooIndex
from serve_app.growing_array import GrowingArray


class CounterColumns:
    """content key -> its counters; a content that nobody watched reads as zeros."""

    def __init__(self) -> None:
        self._index = CuckooIndex()
        self._totals = GrowingArray(np.int64, (len(COUNTER_TOTALS),))
        self._decayed = GrowingArray(np.float64, (len(HALF_LIVES), len(DECAYED_COUNTERS)))
        self._times = GrowingArray(np.float64)

    def __len__(self) -> int:
        return len(self._index)

    def put(self, counters: CounterRows) -> None:
        """Write values absolute; ids are unique within `counters`, and MISSING_KEY is left out."""
        rows = self._index.find_or_insert(counters.ids)
        stored = rows >= 0
        self._totals.put(rows[stored], counters.totals[stored])
        self._decayed.put(rows[stored], counters.decayed[stored])
        self._times.put(rows[stored], counters.times[stored])

    def totals(self, ids: IdArray) -> IntArray:
        """Return the totals of m contents alone, int64 [m, len(COUNTER_TOTALS)], as copies."""
        return self._totals_at(self._index.find(ids))

    def read(self, ids: IdArray) -> CounterRows:
        """Return the counters of m contents in the order asked, as copies."""
        rows = self._index.find(ids)
        counters = CounterRows(
            ids,
            self._totals_at(rows),
            self._decayed.values.take(rows, axis=0, mode="clip"),
            self._times.values.take(rows, mode="clip"),
        )
        missing = rows < 0
        if missing.any():
            counters.decayed[missing] = 0.0
            counters.times[missing] = 0.0
        return counters

    def _totals_at(self, rows: IntArray) -> IntArray:
        # A fifth of the time of indexing by an array; clipping reads some row for what is missing.
        totals: IntArray = self._totals.values.take(rows, axis=0, mode="clip")
        totals[rows < 0] = 0
        return totals
