"""Which row an id has: collisionless, no two ids ever share a row (Monolith, arXiv 2209.07663, 2.1)."""

from __future__ import annotations

import numpy as np

from messages.arrays import IdArray, IntArray
from parameter_server import cuckoo_kernels as kernels
from parameter_server.native_memory import aligned_zeros, kernel_input

_LARGEST_LOAD = 0.85


class CuckooIndex:
    """A map from ids to row numbers 0, 1, 2, ... that stay the same until the id is erased.

    Growth rehashes the index only; rows never move. Erased rows are given out again, the last one first.
    MISSING_KEY (0) is never stored. Not for several threads at once.
    """

    def __init__(self, capacity: int = 64) -> None:
        """capacity: ids to hold before the first growth."""
        num_buckets = 1
        while num_buckets * kernels.PLACES * _LARGEST_LOAD < capacity:
            num_buckets *= 2
        self._allot(num_buckets)
        self._state = np.zeros(3, dtype=np.int64)
        self._free_rows = np.empty(16, dtype=np.int64)

    def __len__(self) -> int:
        return int(self._state[kernels.SIZE])

    @property
    def num_row_slots(self) -> int:
        """One more than the highest row number ever given out: what storage must have room for."""
        return int(self._state[kernels.NEXT_ROW])

    @property
    def num_bytes(self) -> int:
        return int(self._table.nbytes + self._free_rows.nbytes)

    def find(self, ids: IdArray) -> IntArray:
        """Return the row of each id, int64 [m], -1 where it has none. ids: uint64 [m]."""
        rows = np.empty(len(ids), dtype=np.int64)
        kernels.find(self._table, self._mask, kernel_input(ids, np.uint64), rows)
        return rows

    def find_or_insert(self, ids: IdArray) -> IntArray:
        """Return the row of each id, int64 [m], giving one to each that has none; MISSING_KEY has -1."""
        keys = kernel_input(ids, np.uint64)
        rows = np.empty(len(keys), dtype=np.int64)
        done = 0
        while True:
            done = kernels.find_or_insert(
                self._table, self._mask, self._limit, keys, done, rows, self._free_rows, self._state
            )
            if done == len(keys):
                return rows
            self._grow()

    def erase(self, ids: IdArray) -> IntArray:
        """Forget ids and return the rows they had, int64 [m], -1 where there was none."""
        keys = kernel_input(ids, np.uint64)
        rows = np.empty(len(keys), dtype=np.int64)
        needed = int(self._state[kernels.NUM_FREE]) + len(keys)
        if needed > len(self._free_rows):
            grown = np.empty(max(needed, 2 * len(self._free_rows)), dtype=np.int64)
            grown[: len(self._free_rows)] = self._free_rows
            self._free_rows = grown
        kernels.erase(self._table, self._mask, keys, rows, self._free_rows, self._state)
        return rows

    def entries(self) -> tuple[IdArray, IntArray]:
        """Return every id, uint64 [n], and its row, int64 [n], by rising row number."""
        buckets = self._table.reshape(-1, 2, kernels.PLACES)
        keys = buckets[:, 0].ravel()
        stored = np.flatnonzero(keys)
        rows = buckets[:, 1].ravel()[stored].astype(np.int64)
        order = np.argsort(rows)
        return keys[stored][order], rows[order]

    def _allot(self, num_buckets: int) -> None:
        self._table = aligned_zeros(num_buckets * kernels.BUCKET_WORDS)
        self._mask = np.uint64(num_buckets - 1)
        self._limit = int(num_buckets * kernels.PLACES * _LARGEST_LOAD)

    def _grow(self) -> None:
        before = self._table
        num_buckets = len(before) // kernels.BUCKET_WORDS
        while True:
            num_buckets *= 2
            self._allot(num_buckets)
            if kernels.rehash(before, self._table, self._mask):
                return
