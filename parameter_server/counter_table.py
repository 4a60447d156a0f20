"""Counters of contents: exact totals and fading sums, in a form in which the order of events does not matter.

Forward decay (Cormode et al., ICDE 2009): a sum is kept as of the time of its newest event, and both the old
sum and an increment are brought to the newer of their two times before they are added.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray, njit

from messages.arrays import AnyArray, BoolArray, IdArray, IntArray
from messages.identifiers import buckets_of
from messages.updates import COUNTER_TOTALS, DECAYED_COUNTERS, HALF_LIVES, CounterRows
from parameter_server.native_memory import kernel_input, pointer_to
from parameter_server.recency import HEADER_BYTES, header_at, row_address, touch
from parameter_server.row_storage import prefetch_row
from parameter_server.row_table import RowTable

_NUM_TOTALS = len(COUNTER_TOTALS)
_NUM_HALF_LIVES = len(HALF_LIVES)
_NUM_DECAYED = len(DECAYED_COUNTERS)
_RECORD_WORDS = _NUM_TOTALS + _NUM_HALF_LIVES * _NUM_DECAYED + 1  # of 64 bits: totals, decayed sums, time


def counters_of_buckets(rows: CounterRows, wanted: BoolArray) -> CounterRows:
    """Return the counters of wanted buckets. wanted: bool [NUM_BUCKETS]."""
    return rows.take(np.flatnonzero(wanted[buckets_of(rows.ids)]))


class CounterTable:
    """Counters by content key; a missing row reads as zeros, and nothing is kept for MISSING_KEY."""

    def __init__(self) -> None:
        self._table = RowTable(2 * _RECORD_WORDS)

    def __len__(self) -> int:
        return len(self._table)

    @property
    def num_bytes(self) -> int:
        return self._table.num_bytes

    def read(self, ids: IdArray) -> CounterRows:
        """Return the counters of ids in the order asked. ids: uint64 [m]."""
        counters = CounterRows.zeros(ids)
        rows = self._table.index.find(ids)
        found = np.flatnonzero(rows >= 0)
        if len(found):
            stored = self._of_rows(ids[found], rows[found])
            counters.totals[found] = stored.totals
            counters.decayed[found] = stored.decayed
            counters.times[found] = stored.times
        return counters

    def add(self, increments: CounterRows, version: int, *, time: int = 0) -> None:
        """Add increments, each as of its own time. version, time of the stream: not lower than any before."""
        rows = self._table.rows_for(increments.ids)
        storage = self._table.storage
        _add_counters(
            kernel_input(rows, np.int64),
            kernel_input(increments.ids, np.uint64),
            kernel_input(increments.totals, np.int64),
            kernel_input(increments.decayed, np.float64),
            kernel_input(increments.times, np.float64),
            kernel_input(HALF_LIVES, np.float64),
            storage.addresses,
            storage.row_bytes,
            storage.ends,
            np.uint32(version),
            np.uint32(time),
        )

    def changed_since(self, version: int) -> CounterRows:
        """Return the rows changed after `version`, work in proportion to the changes since."""
        rows = self._table.storage.changed_since(version)
        return self._of_rows(self._table.storage.ids_of(rows), rows)

    def all_rows(self) -> CounterRows:
        return self._of_rows(*self._table.index.entries())

    def of_rows(self, rows: IntArray) -> CounterRows:
        """Return a copy of those of some row numbers that are in use."""
        return self._of_rows(*self._table.used(rows))

    @property
    def rows(self) -> RowTable:
        """The rows themselves, for inspection."""
        return self._table

    def erase(self, ids: IdArray) -> IdArray:
        """Forget rows that live elsewhere now, and return the ids that were there."""
        return self._table.erase(ids)

    def load(self, counters: CounterRows) -> None:
        """Take over rows that are not here; to readers of versions they have always been there."""
        num_rows = len(counters)
        records = np.empty((num_rows, _RECORD_WORDS), dtype=np.float64)
        records.view(np.int64)[:, :_NUM_TOTALS] = counters.totals
        records[:, _NUM_TOTALS:-1] = counters.decayed.reshape(num_rows, _NUM_HALF_LIVES * _NUM_DECAYED)
        records[:, -1] = counters.times
        times = np.clip(counters.times, 0, np.iinfo(np.uint32).max).astype(np.int64)
        self._table.load(counters.ids, records.view(np.uint32), times)

    def _of_rows(self, ids: IdArray, rows: IntArray) -> CounterRows:
        words: AnyArray = self._table.storage.read(rows, 2 * _RECORD_WORDS)
        decayed = words.view(np.float64)[:, _NUM_TOTALS:-1]
        return CounterRows(
            ids,
            words.view(np.int64)[:, :_NUM_TOTALS].copy(),
            decayed.reshape(len(rows), _NUM_HALF_LIVES, _NUM_DECAYED),
            words.view(np.float64)[:, -1].copy(),
        )


@njit(cache=True, nogil=True, error_model="numpy")
def _add_counters(
    rows: Any,
    ids: Any,
    totals: Any,
    decayed: Any,
    times: Any,
    half_lives: Any,
    addresses: Any,
    row_bytes: Any,
    ends: Any,
    version: Any,
    time: Any,
) -> None:
    num_half_lives, num_decayed = decayed.shape[1], decayed.shape[2]
    for index in range(len(rows)):
        prefetch_row(addresses, rows, index, row_bytes)
        if rows[index] < 0:
            continue
        address = row_address(addresses, rows[index], row_bytes)
        touch(header_at(address), rows[index], ids[index], version, time, addresses, row_bytes, ends)
        body = address + np.uint64(HEADER_BYTES)
        row_totals = carray(pointer_to(body), (_NUM_TOTALS,), np.int64)
        for column in range(_NUM_TOTALS):
            row_totals[column] += totals[index, column]
        sums = carray(
            pointer_to(body + np.uint64(8 * _NUM_TOTALS)), (num_half_lives * num_decayed + 1,), np.float64
        )
        before = sums[num_half_lives * num_decayed]
        newest = max(before, times[index])
        for life in range(num_half_lives):
            kept = np.exp2((before - newest) / half_lives[life])
            gained = np.exp2((times[index] - newest) / half_lives[life])
            for column in range(num_decayed):
                place = life * num_decayed + column
                sums[place] = sums[place] * kept + decayed[index, life, column] * gained
        sums[num_half_lives * num_decayed] = newest
