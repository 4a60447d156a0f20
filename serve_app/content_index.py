"""Nearest contents by inner product: exact while they are few, by inverted lists when they are many."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import faiss
import numpy as np

from messages.arrays import BoolArray, ByteArray, FloatArray, IntArray
from serve_app.index_rebuild import ContentIndexSettings, IndexRebuild
from serve_app.inverted_index import InvertedIndex
from serve_app.probe_calibration import calibration

_RECENT_QUERIES, _TELLING = 64, 32
_COPIED_ROWS, _SLICE_ROWS = 2_048, 256


class ContentIndex:
    """Row number -> vector, and the rows whose inner product with a query is highest.

    FAISS's flat index keeps the vectors in one array in the order in which they were added, so the position
    is the row number of the content table, and an update or a removal writes one row of that array:
    O(dimension), no rebuild. Rows without a vector are left out of the search by a bitmap. Above
    `exact_up_to` contents an inverted index, changed in place beside that array, says which rows to look at;
    the array stays: for their products, for measuring recall, and for the next training.

    One thread searches and changes it: a search beside a change returns wrong rows. What takes seconds is
    done aside (`IndexRebuild`) and taken over in slices. like: an index whose lists to begin with, if it has
    any: a full copy of a large model is then never without.
    """

    def __init__(
        self,
        dimension: int,
        settings: ContentIndexSettings | None = None,
        like: ContentIndex | None = None,
    ) -> None:
        self.dimension = dimension
        self.recent_queries: deque[FloatArray] = deque(maxlen=_RECENT_QUERIES)
        """What people were searched for with last, float32 [dimension] each."""
        self.recent_anchors: deque[FloatArray] = deque(maxlen=_RECENT_QUERIES)
        """Whose like was searched for last, likewise."""
        self._settings = settings or ContentIndexSettings()
        self._flat = faiss.IndexFlatIP(dimension)
        self._vectors: FloatArray = np.empty((0, dimension), dtype=np.float32)  # FAISS's own, by row
        self._present = np.zeros(0, dtype=np.uint8)  # a bit a row
        self._num_present = 0
        self._inverted: InvertedIndex | None = None
        self._num_trained = 0
        self._rebuild: IndexRebuild | None = None
        if like is not None and like._inverted is not None:
            self._inverted = like._inverted.empty_copy()
            self._num_trained = like._num_trained
            self.recent_queries = like.recent_queries.copy()
            self.recent_anchors = like.recent_anchors.copy()

    def __len__(self) -> int:
        return self._num_present

    @property
    def inverted(self) -> InvertedIndex | None:
        """The lists that are searched, None while search is exact."""
        return self._inverted

    @property
    def wants_rebuild(self) -> bool:
        """Whether lists are due: there are too many for none, twice as many, or too many that lie in none."""
        if self._rebuild is not None or self._num_present <= self._settings.exact_up_to:
            return False
        if self._inverted is None or self._num_present > 2 * self._num_trained:
            return True
        return self._inverted.num_outliers > self._settings.max_outliers * self._num_present

    @property
    def min_recall(self) -> float:
        """What searches are to reach."""
        return self._settings.min_recall

    @property
    def num_probes(self) -> int:
        """Lists that a person's search looks through, 0 while search is exact."""
        return 0 if self._inverted is None else self._inverted.num_probes

    @property
    def wants_calibration(self) -> bool:
        """Whether lists were learned before anybody searched, and it is known by now what is searched for."""
        inverted = self._inverted if self._rebuild is None else None
        return inverted is not None and inverted.num_calibrated_by < _TELLING <= len(self.recent_queries)

    def calibrate(self) -> Iterator[None]:
        """Find out by recent searches how many lists must be looked through; a step is one search."""
        assert self._inverted is not None
        queries, anchors = list(self.recent_queries)[-_TELLING:], list(self.recent_anchors)[-_TELLING:]
        yield from calibration(self._inverted, queries, anchors, self._settings.min_recall)

    def put(self, rows: IntArray, vectors: FloatArray) -> None:
        """Add or replace vectors, float32 [n, dimension]; rows are unique."""
        if not len(rows):
            return
        self._reserve(int(rows.max()) + 1)
        self._vectors[rows] = vectors
        self._mark(rows, True)
        if self._inverted is not None:
            self._inverted.put(rows, vectors)
        self._note(rows)

    def remove(self, rows: IntArray) -> None:
        """Take rows out of every later search."""
        if not len(rows):
            return
        self._mark(rows, False)
        if self._inverted is not None:
            self._inverted.remove(rows)
            if 2 * self._num_present < self._settings.exact_up_to:
                self._inverted, self._num_trained = None, 0
        self._note(rows)

    def vectors(self, rows: IntArray) -> FloatArray:
        """Return copies of the vectors of rows, float32 [n, dimension]; the rows must have been put."""
        return self._vectors.take(rows, axis=0)

    def search(self, queries: FloatArray, count: int, excluded: IntArray) -> tuple[IntArray, FloatArray]:
        """Find the best rows of each query, leaving out `excluded` row numbers.

        queries: float32 [q, dimension]. Returns rows int64 [q, count], best first, -1 where there are no
        more, and inner products float32 [q, count].
        """
        self.recent_queries.append(queries[0])
        return self._search(queries, count, excluded, self.num_probes)

    def search_alike(
        self, vectors: FloatArray, count: int, excluded: IntArray
    ) -> tuple[IntArray, FloatArray]:
        """Do the same for vectors of contents, whose like lies around them: fewer lists need a look."""
        self.recent_anchors.append(vectors[0])
        probes = 0 if self._inverted is None else self._inverted.num_probes_alike
        return self._search(vectors, count, excluded, probes)

    def _search(
        self, queries: FloatArray, count: int, excluded: IntArray, num_probes: int
    ) -> tuple[IntArray, FloatArray]:
        if self._inverted is None or self._num_present == 0 or count == 0:
            return self.search_exact(queries, count, excluded)
        rows, products, fewest = self._inverted.search_best_first(
            queries, count, excluded, num_probes, self._vectors
        )
        if fewest < count:  # the probed lists hold too few: far apart, or nearly all excluded
            return self.search_exact(queries, count, excluded)
        return rows, products

    def search_exact(
        self, queries: FloatArray, count: int, excluded: IntArray
    ) -> tuple[IntArray, FloatArray]:
        """Find what `search` should: all vectors compared."""
        if self._num_present == 0 or count == 0:
            return np.full((len(queries), count), -1), np.zeros((len(queries), count), dtype=np.float32)
        parameters = None
        if len(excluded) or self._num_present < self._flat.ntotal:
            allowed = self._allowed(excluded)
            # The selector and the parameters only point at their data: both names must outlive the search.
            selector = faiss.IDSelectorBitmap(allowed)  # type: ignore[call-arg, arg-type]
            parameters = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
        products, rows = self._flat.search(np.ascontiguousarray(queries), count, params=parameters)
        return rows, products

    def begin_rebuild(self) -> IndexRebuild:
        """Begin to learn lists of what is in here now; from now on changes are noted for it too."""
        self._rebuild = IndexRebuild(self._rows(), self._settings)
        return self._rebuild

    def copies(self, rows: IntArray) -> Iterator[tuple[IntArray, FloatArray]]:
        """Copy vectors for use aside, a few rows at each step, those that are in here at that moment."""
        for start in range(0, len(rows), _COPIED_ROWS):
            part = rows[start : start + _COPIED_ROWS]
            part = part[self._has(part)]
            yield part, self.vectors(part)

    def finish_rebuild(self) -> Iterator[int]:
        """Bring the new lists up to date in slices, then search by them. Yields the rows of each slice."""
        rebuild = self._rebuild
        assert rebuild is not None
        while rebuild.changed:
            changed, rebuild.changed = np.unique(np.concatenate(rebuild.changed)), []
            for start in range(0, len(changed), _SLICE_ROWS):
                part = changed[start : start + _SLICE_ROWS]
                present = self._has(part)
                rebuild.index.remove(part[~present])
                rebuild.index.put(part[present], self.vectors(part[present]))
                yield len(part)
        self._inverted, self._num_trained, self._rebuild = rebuild.index, len(rebuild.rows), None

    def drop_rebuild(self) -> None:
        """Forget a rebuild that failed."""
        self._rebuild = None

    def _note(self, rows: IntArray) -> None:
        if self._rebuild is not None:
            self._rebuild.changed.append(rows)

    def _rows(self) -> IntArray:
        return np.flatnonzero(np.unpackbits(self._present, bitorder="little"))

    def _allowed(self, excluded: IntArray) -> ByteArray:
        if not len(excluded):
            return self._present
        allowed = self._present.copy()
        excluded = excluded[excluded < self._flat.ntotal]
        np.bitwise_and.at(allowed, excluded >> 3, ~_bits(excluded))
        return allowed

    def _reserve(self, num_rows: int) -> None:
        missing = num_rows - self._flat.ntotal
        if missing > 0:
            self._flat.add(np.zeros((missing, self.dimension), dtype=np.float32))
            numbers = faiss.rev_swig_ptr(self._flat.get_xb(), num_rows * self.dimension)
            self._vectors = numbers.reshape(-1, self.dimension)
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
