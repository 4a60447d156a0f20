"""Nearest vectors by inner product among many: an inverted file, changed in place."""

from __future__ import annotations

import faiss
import numpy as np
import numpy.typing as npt

from messages.arrays import AnyArray, ByteArray, FloatArray, IntArray
from serve_app.quantized_lists import QuantizedLists

_TRAINING_POINTS = 40
"""Vectors a list that k-means looks at: FAISS's own lower bound is 39."""

_ITERATIONS = 8
_ANY = np.empty(0, dtype=np.uint8)


def train_centroids(vectors: FloatArray, num_lists: int, seed: int) -> FloatArray:
    """Cluster vectors by k-means, float32 [num_lists, dimension]; seconds of work, a function of its inputs.

    vectors: float32 [n, dimension], n >= num_lists.
    """
    trainer = faiss.Kmeans(
        vectors.shape[1],
        num_lists,
        niter=_ITERATIONS,
        max_points_per_centroid=_TRAINING_POINTS,
        min_points_per_centroid=1,
        seed=seed,
    )
    trainer.train(np.ascontiguousarray(vectors, dtype=np.float32))
    assert trainer.centroids is not None
    return trainer.centroids


class InvertedIndex:
    """Row number -> vector, in lists around centroids, of which a search looks through `num_probes`.

    A vector lies in the list of the nearest centroid by distance, and lists are probed by the inner product
    of query and centroid: lists are then of like size, which those by inner product are not when vectors
    differ in length. The lists hold a byte a number, which is what a search needs to know which ones to look
    at: who wants exact products multiplies the few that are found.
    """

    def __init__(self, centroids: FloatArray, num_probes: int) -> None:
        self.centroids = centroids
        self.num_probes = num_probes
        self.num_probes_alike = num_probes
        """Of a search by a content's own vector."""
        self.num_calibrated_by = 0
        """How many queries the numbers of probes were found out with."""
        num_lists, dimension = centroids.shape
        self._nearest = faiss.IndexFlatL2(dimension)
        self._nearest.add(centroids)
        self._lists = QuantizedLists(num_lists, dimension)

    def __len__(self) -> int:
        return len(self._lists)

    @property
    def num_lists(self) -> int:
        return len(self.centroids)

    def empty_copy(self) -> InvertedIndex:
        """Return an index of the same lists with nothing in it."""
        copy = InvertedIndex(self.centroids, self.num_probes)
        copy.num_probes_alike = self.num_probes_alike
        copy.num_calibrated_by = self.num_calibrated_by
        return copy

    def put(self, rows: IntArray, vectors: FloatArray) -> None:
        """Add or replace vectors, float32 [n, dimension]; rows are unique."""
        if len(rows):
            vectors = _of_one_kind(vectors, np.float32)
            _, nearest = self._nearest.search(vectors, 1)
            # Of a vector with a number that is none FAISS says -1: it lies in any list, and is found in none.
            self._lists.put(_of_one_kind(rows, np.int64), np.maximum(nearest[:, 0], 0), vectors)

    def remove(self, rows: IntArray) -> None:
        """Take rows out; those that are not in here are left out silently."""
        self._lists.remove(_of_one_kind(rows, np.int64))

    def tidy(self) -> None:
        """Lay the lists out for reading, after many changes; takes as long as a hundred searches."""
        self._lists.tidy()

    def search(
        self, query: FloatArray, count: int, allowed: ByteArray | None, num_probes: int | None = None
    ) -> IntArray:
        """Find the best rows of the lists that a query probes, in no order.

        query: float32 [dimension]. allowed: a bit for each row number, None for all. num_probes: other than
        this index's own; with all lists only rounding is between this and an exact search. Returns int64 [m],
        m <= count.
        """
        probes = min(num_probes or self.num_probes, self.num_lists)
        query = _of_one_kind(query, np.float32)
        nearness = self.centroids @ query
        lists = np.argpartition(-nearness, probes - 1)[:probes]
        rows, _ = self._lists.scan(query, lists, count, _ANY if allowed is None else allowed)
        return rows


def _of_one_kind(values: AnyArray, dtype: npt.DTypeLike) -> AnyArray:
    """Return an array for compiled loops: numba compiles anew for each layout, alignment and writability."""
    return np.require(values, dtype=dtype, requirements=("C", "A", "W"))
