"""Nearest vectors by inner product among many: an inverted file, changed in place."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
from numba import njit

from learners.kernel_arrays import kernel_array
from messages.arrays import FloatArray, IntArray
from serve_app.best_products import put_best_first
from serve_app.block_products import LANES
from serve_app.list_blocks import scan_lists
from serve_app.quantized_lists import QuantizedLists

_TRAINING_POINTS = 40
"""Vectors a list that k-means looks at: FAISS's own lower bound is 39."""

_ITERATIONS = 8
_WITHIN_REACH = 0.999
"""Share of the vectors that lists are learned from which lie in one of them. Of others two and a half times
as many lie in none, and each search looks through them: with 0.99 they took a fifth to a half of its time."""

_LEAST_REACH = 1e-3
"""Of the mean squared length."""

_NOTHING: IntArray = np.empty(0, dtype=np.int64)


def train_lists(vectors: FloatArray, num_lists: int, seed: int) -> tuple[FloatArray, float]:
    """Cluster vectors by k-means; seconds of work, a function of its inputs.

    vectors: float32 [n, dimension], n >= num_lists. Returns centroids, float32 [num_lists, dimension], and
    the squared distance up to which a vector is near one.
    """
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    trainer = faiss.Kmeans(
        vectors.shape[1],
        num_lists,
        niter=_ITERATIONS,
        max_points_per_centroid=_TRAINING_POINTS,
        min_points_per_centroid=1,
        seed=seed,
    )
    trainer.train(vectors)
    assert trainer.centroids is not None
    nearest = faiss.IndexFlatL2(vectors.shape[1])
    nearest.add(trainer.centroids)
    distances, _ = nearest.search(vectors, 1)
    # The same vector many times is a list without extent, and rounding no reason to lie outside.
    least = _LEAST_REACH * float(np.einsum("nd,nd->", vectors, vectors)) / len(vectors)
    return trainer.centroids, max(float(np.quantile(distances, _WITHIN_REACH)), least)


class InvertedIndex:
    """Row number -> vector, in lists around centroids, of which a search looks through `num_probes`.

    A vector lies in the list of the nearest centroid by distance, and lists are probed by the inner product
    of query and centroid: lists are then of like size, which those by inner product are not when vectors
    differ in length. The lists hold a byte a number, which is what a search needs to know which ones to look
    at, and so does the list of the centroids: who wants exact products multiplies the few that are found.

    Outliers, which are farther from every centroid than nearly all that the lists were learned from, lie in a
    list of their own, through which every search looks. Learning carries contents away from where they were
    born, and those that it moved most are what people's searches are to find: no centroid leads to them.
    """

    def __init__(self, centroids: FloatArray, num_probes: int, reach: float = float("inf")) -> None:
        """reach: squared distance from the nearest centroid beyond which a vector is an outlier."""
        self.centroids = centroids
        self.reach = reach
        self.num_probes = num_probes
        self.num_probes_alike = num_probes
        """Of a search by a content's own vector."""
        self.num_calibrated_by = 0
        """How many queries the numbers of probes were found out with."""
        self.calibrated_recall = float("nan")
        """The mean recall of these."""
        num_lists, dimension = centroids.shape
        self._nearest = faiss.IndexFlatL2(dimension)
        self._nearest.add(centroids)
        self._lists = QuantizedLists(num_lists + 1, dimension)
        self._directory = QuantizedLists(1, dimension)  # the centroids, by the numbers of their lists
        numbers = np.arange(num_lists)
        self._directory.put(numbers, np.zeros_like(numbers), kernel_array(centroids, np.float32))

    def __len__(self) -> int:
        return len(self._lists)

    @property
    def num_lists(self) -> int:
        return len(self.centroids)

    @property
    def num_outliers(self) -> int:
        return self._lists.size_of(self.num_lists)

    def empty_copy(self) -> InvertedIndex:
        """Return an index of the same lists with nothing in it."""
        copy = InvertedIndex(self.centroids, self.num_probes, self.reach)
        copy.num_probes_alike = self.num_probes_alike
        copy.num_calibrated_by = self.num_calibrated_by
        copy.calibrated_recall = self.calibrated_recall
        return copy

    def put(self, rows: IntArray, vectors: FloatArray) -> None:
        """Add or replace vectors, float32 [n, dimension]; rows are unique."""
        if len(rows):
            vectors = kernel_array(vectors, np.float32)
            distances, nearest = self._nearest.search(vectors, 1)
            # Of a vector with a number that is none FAISS says -1: it lies in any list, and is found in none.
            lists = np.maximum(nearest[:, 0], 0)
            lists[distances[:, 0] > self.reach] = self.num_lists
            self._lists.put(kernel_array(rows, np.int64), lists, vectors)

    def remove(self, rows: IntArray) -> None:
        """Take rows out; those that are not in here are left out silently."""
        self._lists.remove(kernel_array(rows, np.int64))

    def tidy(self) -> None:
        """Lay the lists out for reading, after many changes; takes as long as a hundred searches."""
        self._lists.tidy()

    def search(self, query: FloatArray, count: int, num_probes: int | None = None) -> IntArray:
        """Find the best rows of the lists that a query probes and of the outliers, in no order.

        query: float32 [dimension]. num_probes: other than this index's own; with all lists only rounding is
        between this and an exact search. Returns int64 [m], m <= count.
        """
        query = kernel_array(query, np.float32)
        found = np.empty(_room(count), dtype=np.int64)
        products = np.empty(len(found), dtype=np.float32)
        blocks = self._directory.blocks, self._lists.blocks
        num_found: int = _find(query, count, _NOTHING, self._probes(num_probes), *blocks, found, products)
        return found[:num_found]

    def search_best_first(
        self,
        queries: FloatArray,
        count: int,
        left_out: IntArray,
        num_probes: int,
        vectors: FloatArray,
    ) -> tuple[IntArray, FloatArray, int]:
        """Find the same for q queries, and put it in the order of its exact products.

        left_out: row numbers not to be found. vectors: float32 [capacity, dimension], by row number. Returns
        rows int64 [q, count], these products float32 [q, count], and how many were found of the query with
        the fewest: what stands after those of a query says nothing.
        """
        rows = np.empty((len(queries), count), dtype=np.int64)
        products = np.empty((len(queries), count), dtype=np.float32)
        given = kernel_array(queries, np.float32), kernel_array(left_out, np.int64), self._probes(num_probes)
        blocks = self._directory.blocks, self._lists.blocks
        fewest: int = _find_best(*given, *blocks, vectors, rows, products)
        return rows, products, fewest

    def _probes(self, wanted: int | None) -> int:
        return min(wanted or self.num_probes, self.num_lists)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _find(
    query: Any,
    count: Any,
    left_out: Any,
    probes: Any,
    directory: Any,
    blocks: Any,
    found: Any,
    products: Any,
) -> Any:
    """Write the best rows of the lists nearest to a query and about their products; return how many."""
    lists, similarities = np.empty(_room(probes), dtype=np.int64), np.empty(_room(probes), dtype=np.float32)
    everything, nothing = np.zeros(1, dtype=np.int64), np.empty(0, dtype=np.int64)
    num_lists = scan_lists(query, everything, probes, nothing, directory, lists[1:], similarities[1:])
    # Outliers come first: the better those found so far, the less the others have to offer.
    lists[0] = len(blocks.heads) - 1
    return scan_lists(query, lists[: 1 + num_lists], count, left_out, blocks, found, products)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _find_best(
    queries: Any,
    left_out: Any,
    probes: Any,
    directory: Any,
    blocks: Any,
    vectors: Any,
    rows: Any,
    products: Any,
) -> Any:
    """Do that for some queries, and put what was found in the order of its exact products: [q, count] rows
    and these. All in one call: on its way here each costs some twenty microseconds. Return the fewest found.
    """
    count = rows.shape[1]
    found, similarities = np.empty(_room(count), dtype=np.int64), np.empty(_room(count), dtype=np.float32)
    fewest = count
    for place in range(len(queries)):
        query = queries[place]
        num_found = _find(query, count, left_out, probes, directory, blocks, found, similarities)
        put_best_first(vectors, found[:num_found], query, rows[place], products[place])
        fewest = min(fewest, num_found)
    return fewest


@njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def _room(count: Any) -> Any:
    """Return how long the arrays are into which a scan for so many writes, and one more."""
    return 3 * count + LANES + 1
