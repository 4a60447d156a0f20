"""Vectors in lists, a byte a number: changed in place, scanned by compiled loops.

Memory bounds a scan, and this reads a quarter of what the vectors take; exact products are for the few that
are found. How they are laid out: `list_blocks.py`.
"""

from __future__ import annotations

import numpy as np

from messages.arrays import FloatArray, IntArray
from serve_app.block_products import LANES
from serve_app.growing_array import GrowingArray
from serve_app.list_blocks import ListBlocks, chains, put_vectors, remove_rows

_ROWS_AT_ONCE = 256


class QuantizedLists:
    """Row number -> the list it lies in, and its codes there. One thread.

    Each list is a chain of blocks, of which only the first has room. A vector that goes leaves its place to
    the last one of the first block, so a change is O(dimension), and no block has a gap.
    """

    def __init__(self, num_lists: int, dimension: int) -> None:
        self._heads = np.full(num_lists, -1, dtype=np.int64)
        self._sizes = np.zeros(num_lists, dtype=np.int64)
        self._free = np.array([-1, 0], dtype=np.int64)
        self._columns = (
            GrowingArray(np.int8, ((dimension + 1) // 2, LANES, 2)),
            GrowingArray(np.float32, (LANES,)),
            GrowingArray(np.int64, (LANES,)),
            GrowingArray(np.uint64),
            GrowingArray(np.int64),
            GrowingArray(np.int64),
        )
        self._places = GrowingArray(np.int64, fill=-1)

    def __len__(self) -> int:
        return int(self._sizes.sum())

    def size_of(self, chosen: int) -> int:
        """Return how many vectors a list holds."""
        return int(self._sizes[chosen])

    def put(self, rows: IntArray, lists: IntArray, vectors: FloatArray) -> None:
        """Add or replace vectors, float32 [n, dimension], in lists, int64 [n]; rows are unique."""
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            part = slice(start, start + _ROWS_AT_ONCE)
            self._places.reserve(int(rows[part].max()) + 1)
            for column in self._columns:  # a vector may need a block
                column.reserve(int(self._free[1]) + len(rows[part]))
            put_vectors(rows[part], lists[part], vectors[part], self.blocks)

    def remove(self, rows: IntArray) -> None:
        """Take rows out; those that are not in here are left out silently."""
        remove_rows(rows, self.blocks)

    def tidy(self) -> None:
        """Lay each list's blocks side by side: scattered ones take half as long again to read."""
        order = chains(self.blocks)
        numbers = np.full(int(self._free[1]) + 1, -1, dtype=np.int64)  # that of -1, the last one, is -1
        numbers[order] = np.arange(len(order))
        self._heads[:] = numbers[self._heads]
        self._free[:] = -1, len(order)
        codes, scales, rows, _, following, lists = (column.values for column in self._columns)
        following[: len(order)] = numbers[following[order]]
        for column in (codes, scales, rows, lists):
            column[: len(order)] = column[order]
        lanes = np.arange(LANES)
        filled = np.full(len(order), LANES)
        filled[self._heads[self._sizes > 0]] = (self._sizes[self._sizes > 0] - 1) % LANES + 1
        block, lane = np.nonzero(lanes < filled[:, None])
        self._places.values[rows[block, lane]] = block * LANES + lane

    @property
    def blocks(self) -> ListBlocks:
        """What `scan_lists` reads; a change may put another in its place."""
        columns = (column.values for column in (*self._columns, self._places))
        return ListBlocks(self._heads, self._sizes, self._free, *columns)
