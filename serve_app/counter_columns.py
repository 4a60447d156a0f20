"""The content counters as a replica holds them: absolute values, replaced by each delta."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from messages.arrays import IdArray, IntArray
from messages.updates import COUNTER_TOTALS, DECAYED_COUNTERS, HALF_LIVES, CounterRows
from parameter_server.cuckoo_index import CuckooIndex
from parameter_server.cuckoo_kernels import find
from parameter_server.native_memory import kernel_input
from serve_app.growing_array import GrowingArray
from serve_app.row_prefetch import AHEAD, ask_for


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

    def sums(self, ids: IdArray, columns: IntArray) -> IntArray:
        """Return the sum of some of the totals, by their columns, of each of m contents, int64 [m]."""
        sums = np.empty(len(ids), dtype=np.int64)
        _put_sums(self._index.find(ids), self._totals.values, columns, sums)
        return sums

    def read(self, ids: IdArray) -> CounterRows:
        """Return the counters of m contents in the order asked, as copies."""
        totals, decayed, times = self._totals.values, self._decayed.values, self._times.values
        counters = CounterRows(
            ids,
            np.empty((len(ids), *totals.shape[1:]), dtype=np.int64),
            np.empty((len(ids), *decayed.shape[1:]), dtype=np.float64),
            np.empty(len(ids), dtype=np.float64),
        )
        keys, into = kernel_input(ids, np.uint64), (counters.totals, counters.decayed, counters.times)
        _copy(*self._index.parts, keys, totals, decayed, times, *into)
        return counters

    def _totals_at(self, rows: IntArray) -> IntArray:
        # A fifth of the time of indexing by an array; clipping reads some row for what is missing.
        totals: IntArray = self._totals.values.take(rows, axis=0, mode="clip")
        totals[rows < 0] = 0
        return totals


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _copy(
    bases: Any,
    sizes: Any,
    ids: Any,
    totals: Any,
    decayed: Any,
    times: Any,
    into_totals: Any,
    into_decayed: Any,
    into_times: Any,
) -> None:
    """Copy the counters of each id, zeros for one that is not there. bases, sizes: of the index."""
    rows = np.empty(len(ids), dtype=np.int64)
    find(bases, sizes, ids, rows)
    for index in range(len(rows)):
        if index + AHEAD < len(rows):
            ahead = rows[index + AHEAD]
            ask_for(totals, ahead)
            ask_for(decayed, ahead)
            ask_for(times, ahead)
        row, known = max(rows[index], 0), rows[index] >= 0
        for column in range(totals.shape[1]):
            into_totals[index, column] = totals[row, column] if known else 0
        for life in range(decayed.shape[1]):
            for column in range(decayed.shape[2]):
                into_decayed[index, life, column] = decayed[row, life, column] if known else 0.0
        into_times[index] = times[row] if known else 0.0


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _put_sums(rows: Any, totals: Any, columns: Any, sums: Any) -> None:
    """Write what the columns of each row add up to, 0 for a row of -1."""
    for index in range(len(rows)):
        if index + AHEAD < len(rows):
            ask_for(totals, rows[index + AHEAD])
        sums[index] = 0
        if rows[index] >= 0:
            for column in columns:
                sums[index] += totals[rows[index], column]
