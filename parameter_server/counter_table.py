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
from parameter_server.change_log import ChangeLog
from parameter_server.cuckoo_index import CuckooIndex
from parameter_server.native_memory import kernel_input, pointer_to
from parameter_server.row_storage import HEADER_BYTES, RowStorage, prefetch_row, row_address

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
        self._index = CuckooIndex()
        self._storage = RowStorage(2 * _RECORD_WORDS)
        self._changes = ChangeLog(self._storage)

    def __len__(self) -> int:
        return len(self._index)

    @property
    def num_bytes(self) -> int:
        return self._index.num_bytes + self._storage.num_bytes + self._changes.num_bytes

    def read(self, ids: IdArray) -> CounterRows:
        """Return the counters of ids in the order asked. ids: uint64 [m]."""
        counters = CounterRows.zeros(ids)
        rows = self._index.find(ids)
        found = np.flatnonzero(rows >= 0)
        if len(found):
            stored = self._of_rows(ids[found], rows[found])
            counters.totals[found] = stored.totals
            counters.decayed[found] = stored.decayed
            counters.times[found] = stored.times
        return counters

    def add(self, increments: CounterRows, version: int) -> None:
        """Add increments, each as of its own time. version: higher than any before."""
        rows = self._index.find_or_insert(increments.ids)
        self._storage.reserve(self._index.num_row_slots)
        touched = np.empty(len(rows), dtype=np.int64)
        num_touched = _add_counters(
            kernel_input(rows, np.int64),
            kernel_input(increments.ids, np.uint64),
            kernel_input(increments.totals, np.int64),
            kernel_input(increments.decayed, np.float64),
            kernel_input(increments.times, np.float64),
            kernel_input(HALF_LIVES, np.float64),
            self._storage.addresses,
            self._storage.row_bytes,
            np.uint64(version),
            touched,
        )
        self._changes.append(touched[:num_touched], version, len(self))

    def changed_since(self, version: int) -> CounterRows:
        """Return the rows changed after `version`, work in proportion to the changes since."""
        rows = self._changes.rows_since(version)
        return self._of_rows(self._storage.ids_of(rows), rows)

    def all_rows(self) -> CounterRows:
        return self._of_rows(*self._index.entries())

    def load(self, counters: CounterRows, version: int) -> None:
        """Store rows of a snapshot; they count as changed at `version`, which no reader may ask before."""
        rows = self._index.find_or_insert(counters.ids)
        self._storage.reserve(self._index.num_row_slots)
        records = np.empty((len(rows), _RECORD_WORDS), dtype=np.float64)
        records.view(np.int64)[:, :_NUM_TOTALS] = counters.totals
        records[:, _NUM_TOTALS:-1] = counters.decayed.reshape(len(rows), _NUM_HALF_LIVES * _NUM_DECAYED)
        records[:, -1] = counters.times
        self._storage.write(rows, counters.ids, records.view(np.uint32), version)

    def _of_rows(self, ids: IdArray, rows: IntArray) -> CounterRows:
        words: AnyArray = self._storage.read(rows, 2 * _RECORD_WORDS)
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
    version: Any,
    touched: Any,
) -> Any:
    num_half_lives, num_decayed = decayed.shape[1], decayed.shape[2]
    num_touched = 0
    for index in range(len(rows)):
        prefetch_row(addresses, rows, index, row_bytes)
        if rows[index] < 0:
            continue
        address = row_address(addresses, rows[index], row_bytes)
        header = carray(pointer_to(address), (2,), np.uint64)
        header[0] = ids[index]
        if header[1] != version:
            header[1] = version
            touched[num_touched] = rows[index]
            num_touched += 1
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
    return num_touched
