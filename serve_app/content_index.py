"""Nearest contents by inner product: FAISS, exact, changed in place while it serves."""

from __future__ import annotations

import faiss
import numpy as np

from messages.arrays import BoolArray, FloatArray, IntArray


class ContentIndex:
    """Row number -> vector, and the rows whose inner product with a query is highest.

    FAISS's flat index keeps the vectors in one array in the order in which they were added, so the position
    is the row number of the content table, and an update or a removal writes one row of that array:
    O(dimension), no rebuild. Rows without a vector are left out of the search by a bitmap.

    One thread searches and changes it: a search beside a change returns wrong rows. Exact search takes about
    0.6 ms for 100,000 contents and never goes stale; far above 200,000 an inverted file is the better choice.
    """

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self._flat = faiss.IndexFlatIP(dimension)
        self._present = np.zeros(0, dtype=np.uint8)  # a bit a row
        self._num_present = 0

    def __len__(self) -> int:
        return self._num_present

    def put(self, rows: IntArray, vectors: FloatArray) -> None:
        """Add or replace vectors, float32 [n, dimension]; rows are unique."""
        if not len(rows):
            return
        self._reserve(int(rows.max()) + 1)
        self._vectors()[rows] = vectors
        self._mark(rows, True)

    def remove(self, rows: IntArray) -> None:
        """Take rows out of every later search."""
        if len(rows):
            self._mark(rows, False)

    def vectors(self, rows: IntArray) -> FloatArray:
        """Return copies of the vectors of rows, float32 [n, dimension]; the rows must have been put."""
        vectors: FloatArray = self._vectors()[rows]
        return vectors

    def search(self, queries: FloatArray, count: int, excluded: IntArray) -> tuple[IntArray, FloatArray]:
        """Find the best rows of each query, leaving out `excluded` row numbers.

        queries: float32 [q, dimension]. Returns rows int64 [q, count], best first, -1 where there are no
        more, and inner products float32 [q, count].
        """
        if self._num_present == 0 or count == 0:
            return np.full((len(queries), count), -1), np.zeros((len(queries), count), dtype=np.float32)
        allowed = self._present
        if len(excluded):
            allowed = allowed.copy()
            excluded = excluded[excluded < self._flat.ntotal]
            np.bitwise_and.at(allowed, excluded >> 3, ~_bits(excluded))
        parameters = None
        if len(excluded) or self._num_present < self._flat.ntotal:
            # The selector and the parameters only point at their data: both names must outlive the search.
            selector = faiss.IDSelectorBitmap(allowed)  # type: ignore[call-arg, arg-type]
            parameters = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
        products, rows = self._flat.search(np.ascontiguousarray(queries), count, params=parameters)
        return rows, products

    def _vectors(self) -> FloatArray:
        count = self._flat.ntotal * self.dimension
        vectors: FloatArray = faiss.rev_swig_ptr(self._flat.get_xb(), count).reshape(-1, self.dimension)
        return vectors

    def _reserve(self, num_rows: int) -> None:
        missing = num_rows - self._flat.ntotal
        if missing > 0:
            self._flat.add(np.zeros((missing, self.dimension), dtype=np.float32))
            num_bytes = (num_rows + 7) // 8
            if num_bytes > len(self._present):
                grown = np.zeros(max(num_bytes, 2 * len(self._present)), dtype=np.uint8)
                grown[: len(self._present)] = self._present
                self._present = grown

    def _mark(self, rows: IntArray, present: bool) -> None:
        before = self._has(rows)
        if present:
            np.bitwise_or.at(self._present, rows >> 3, _bits(rows))
            self._num_present += int((~before).sum())
        else:
            np.bitwise_and.at(self._present, rows >> 3, ~_bits(rows))
            self._num_present -= int(before.sum())

    def _has(self, rows: IntArray) -> BoolArray:
        has: BoolArray = (self._present[rows >> 3] & _bits(rows)) != 0
        return has


def _bits(rows: IntArray) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """Return the mask of each row within its byte of the bitmap."""
    bits: np.ndarray[tuple[int], np.dtype[np.uint8]] = np.left_shift(1, rows & 7).astype(np.uint8)
    return bits
