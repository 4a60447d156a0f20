"""Nearest vectors by inner product among many: FAISS's inverted file, changed in place."""

from __future__ import annotations

import faiss
import numpy as np

from messages.arrays import ByteArray, FloatArray, IntArray

_TRAINING_POINTS = 40
"""Vectors a list that k-means looks at: FAISS's own lower bound is 39."""

_ITERATIONS = 8


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
    differ in length. FAISS's hashtable direct map makes add, update and removal O(rows).
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
        self._lists = faiss.IndexIVFFlat(self._nearest, dimension, num_lists, faiss.METRIC_INNER_PRODUCT)
        self._lists.set_direct_map_type(faiss.DirectMap.Hashtable)  # type: ignore[attr-defined]
        self._lists.is_trained = True

    def __len__(self) -> int:
        return int(self._lists.ntotal)

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
        self.remove(rows)
        self._lists.add_with_ids(np.ascontiguousarray(vectors, dtype=np.float32), rows)

    def add(self, rows: IntArray, vectors: FloatArray) -> None:
        """Add vectors of rows that are not in here."""
        self._lists.add_with_ids(np.ascontiguousarray(vectors, dtype=np.float32), rows)

    def remove(self, rows: IntArray) -> None:
        """Take rows out; those that are not in here are left out silently."""
        if len(rows) and len(self):
            rows = np.ascontiguousarray(rows, dtype=np.int64)
            self._lists.remove_ids(faiss.IDSelectorArray(len(rows), faiss.swig_ptr(rows)))

    def search(
        self, queries: FloatArray, count: int, allowed: ByteArray | None, num_probes: int | None = None
    ) -> tuple[IntArray, FloatArray]:
        """Find the best rows of each query in the lists it probes.

        queries: float32 [q, dimension]. allowed: a bit for each row number, None for all. num_probes: other
        than this index's own; all lists make the search exact. Returns rows int64 [q, count], best first, -1
        where there are no more, and products float32 [q, count].
        """
        probes = min(num_probes or self.num_probes, self.num_lists)
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        nearness = queries @ self.centroids.T
        if probes < self.num_lists:
            lists = np.argpartition(-nearness, probes - 1, axis=1)[:, :probes]
        else:
            lists = np.broadcast_to(np.arange(self.num_lists), nearness.shape)
        parameters = faiss.SearchParametersIVF(nprobe=probes)  # type: ignore[call-arg]
        if allowed is not None:
            # The parameters point at the selector, that at its bits: both names must outlive the search.
            selector = faiss.IDSelectorBitmap(allowed)  # type: ignore[call-arg, arg-type]
            parameters.sel = selector
        lists = np.ascontiguousarray(lists, dtype=np.int64)
        nearness = np.ascontiguousarray(np.take_along_axis(nearness, lists, axis=1))
        rows = np.empty((len(queries), count), dtype=np.int64)
        products = np.empty((len(queries), count), dtype=np.float32)
        inputs = (faiss.swig_ptr(array) for array in (lists, nearness, products, rows))
        # The Python wrapper of this call takes no parameters: the call under it does.
        self._lists.search_preassigned_c(  # type: ignore[attr-defined]
            len(queries), faiss.swig_ptr(queries), count, *inputs, False, parameters
        )
        return rows, products
