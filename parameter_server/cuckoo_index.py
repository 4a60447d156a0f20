"""Which row an id has: collisionless, no two ids ever share a row (Monolith, arXiv 2209.07663, 2.1)."""

from __future__ import annotations

import math

import numpy as np

from messages.arrays import AnyArray, IdArray, IntArray
from parameter_server import cuckoo_kernels as kernels
from parameter_server.cuckoo_buckets import BUCKET_BYTES, BUCKET_WORDS, NUM_PARTS, PLACES
from parameter_server.native_memory import aligned_zeros, kernel_input

_LARGEST_LOAD = 0.92
_GROWTH = 1.25


class CuckooIndex:
    """A map from ids to row numbers 0, 1, 2, ... that stay the same until the id is erased.

    Growth rehashes one part of the index, a hundredth, at a time: no call waits for the whole, and little
    of it is empty. Rows never move. Erased rows are given out again, the last one first. MISSING_KEY (0) is
    never stored. At most 2³² rows. Not for several threads at once.
    """

    def __init__(self, capacity: int = 64) -> None:
        """capacity: ids to hold before the first growth."""
        expected = capacity / NUM_PARTS
        most = expected + 5.0 * math.sqrt(expected)  # no part of a fair hash is fuller than that
        num_buckets = max(1, math.ceil(most / (PLACES * _LARGEST_LOAD)))
        block = aligned_zeros(NUM_PARTS * num_buckets * BUCKET_WORDS)
        self._parts: list[AnyArray] = list(block.reshape(NUM_PARTS, -1))
        starts = np.arange(NUM_PARTS, dtype=np.uint64)
        self._bases = np.uint64(block.ctypes.data) + starts * np.uint64(num_buckets * BUCKET_BYTES)
        self._sizes = np.full(NUM_PARTS, num_buckets, dtype=np.uint64)
        self._counts = np.zeros(NUM_PARTS, dtype=np.int64)
        self._limits = np.full(NUM_PARTS, _limit_of(num_buckets), dtype=np.int64)
        self._state = np.zeros(3, dtype=np.int64)
        self._free_rows = np.empty(16, dtype=np.int64)

    def __len__(self) -> int:
        return int(self._counts.sum())

    @property
    def num_row_slots(self) -> int:
        """One more than the highest row number ever given out: what storage must have room for."""
        return int(self._state[kernels.NEXT_ROW])

    @property
    def num_bytes(self) -> int:
        return int(self._sizes.sum()) * BUCKET_BYTES + self._free_rows.nbytes

    @property
    def load_factor(self) -> float:
        """The share of places that are taken."""
        return len(self) / (int(self._sizes.sum()) * PLACES)

    @property
    def parts(self) -> tuple[IdArray, IdArray]:
        """Where the parts lie and how large they are, as `cuckoo_kernels.find` takes them: for kernels that
        find rows and read them in one pass. To be read only; later changes of the index show in them."""
        return self._bases, self._sizes

    def find(self, ids: IdArray) -> IntArray:
        """Return the row of each id, int64 [m], -1 where it has none. ids: uint64 [m]."""
        rows = np.empty(len(ids), dtype=np.int64)
        kernels.find(self._bases, self._sizes, kernel_input(ids, np.uint64), rows)
        return rows

    def find_or_insert(self, ids: IdArray, known: IntArray | None = None) -> IntArray:
        """Return the row of each id, int64 [m], giving one to each that has none; MISSING_KEY has -1.

        known: what `find` said of these ids, if nothing was erased since.
        """
        keys = kernel_input(ids, np.uint64)
        rows = self.find(keys) if known is None else known.copy()
        if not len(rows) or rows.min() >= 0:
            return rows
        done = 0
        while True:
            done = kernels.insert_missing(
                self._bases,
                self._sizes,
                self._counts,
                self._limits,
                keys,
                done,
                rows,
                self._free_rows,
                self._state,
            )
            if done == len(keys):
                return rows
            self._grow(int(self._state[kernels.FULL_PART]))

    def erase(self, ids: IdArray) -> IntArray:
        """Forget ids and return the rows they had, int64 [m], -1 where there was none."""
        keys = kernel_input(ids, np.uint64)
        rows = np.empty(len(keys), dtype=np.int64)
        needed = int(self._state[kernels.NUM_FREE]) + len(keys)
        if needed > len(self._free_rows):
            grown = np.empty(max(needed, 2 * len(self._free_rows)), dtype=np.int64)
            grown[: len(self._free_rows)] = self._free_rows
            self._free_rows = grown
        kernels.erase(self._bases, self._sizes, self._counts, keys, rows, self._free_rows, self._state)
        return rows

    def entries(self) -> tuple[IdArray, IntArray]:
        """Return every id, uint64 [n], and its row, int64 [n], by rising row number."""
        keys = np.empty(len(self), dtype=np.uint64)
        rows = np.empty(len(self), dtype=np.int64)
        kernels.collect(self._bases, self._sizes, keys, rows)
        order = np.argsort(rows)
        return keys[order], rows[order]

    def _allot(self, part: int, num_buckets: int) -> None:
        words = aligned_zeros(num_buckets * BUCKET_WORDS)
        self._parts[part] = words
        self._bases[part] = words.ctypes.data
        self._sizes[part] = num_buckets
        self._limits[part] = _limit_of(num_buckets)

    def _grow(self, part: int) -> None:
        before = self._parts[part]
        num_buckets = len(before) // BUCKET_WORDS
        while True:
            num_buckets = max(num_buckets + 1, math.ceil(num_buckets * _GROWTH))
            self._allot(part, num_buckets)
            if kernels.rehash(before, self._bases, self._sizes):
                return


def _limit_of(num_buckets: int) -> int:
    """Keys at which a part of so many buckets grows."""
    return max(1, int(num_buckets * PLACES * _LARGEST_LOAD))
