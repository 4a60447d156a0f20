"""An inverted index in the making, beside the one that serves."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from messages.arrays import FloatArray, IntArray
from serve_app.inverted_index import InvertedIndex, train_lists
from serve_app.probe_calibration import FIRST_PROBES, calibration

_SAMPLE_PER_LIST = 40
_SEED = 0


class ContentIndexSettings(BaseModel):
    """exact_up_to: contents up to which search is exact (0.3 ms each of a request's three searches); above,
    an inverted index is trained aside. min_recall: what its searches must reach when it is made, by probing
    as many lists as that takes. lists_per_root: lists, as a multiple of the square root of the contents'
    number. max_outliers: share of the contents that may have moved away from all lists, and be looked through
    by each search, before lists are learned anew."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    exact_up_to: int = Field(50_000, ge=0)
    min_recall: float = Field(0.99, gt=0, le=1)
    lists_per_root: float = Field(4.0, gt=0)
    max_outliers: float = Field(0.125, gt=0.01, le=1)


class IndexRebuild:
    """Learns lists, takes vectors in, and finds out how many lists must be probed.

    `train`, `add` and `calibrate` take seconds and touch nothing that serves: they may run in another thread,
    one after the other. `changed` collects the rows that moved meanwhile, in the serving thread.
    """

    def __init__(self, rows: IntArray, settings: ContentIndexSettings) -> None:
        """rows: int64 [n], all that are to be in the index, n >= 1."""
        self._settings = settings
        self.rows = rows
        self.num_lists = max(1, min(round(settings.lists_per_root * len(rows) ** 0.5), len(rows)))
        size = min(_SAMPLE_PER_LIST * self.num_lists, len(rows))
        drawn = np.random.default_rng(_SEED).choice(len(rows), size, replace=False)
        self.sample_rows: IntArray = rows[np.sort(drawn)]
        self.changed: list[IntArray] = []
        self._index: InvertedIndex | None = None

    @property
    def index(self) -> InvertedIndex:
        """The lists, once they are trained."""
        assert self._index is not None
        return self._index

    def train(self, sample: FloatArray) -> None:
        """Learn the lists. sample: float32 [s, dimension], of `sample_rows`, those that are still there."""
        centroids, reach = train_lists(sample, min(self.num_lists, len(sample)), _SEED)
        self._index = InvertedIndex(centroids, FIRST_PROBES, reach)

    def add(self, rows: IntArray, vectors: FloatArray) -> None:
        self.index.put(rows, vectors)

    def calibrate(self, queries: FloatArray, anchors: FloatArray | None = None) -> float:
        """Lay the lists out, all being in, and probe more of them until these queries find what they should;
        return the recall reached by people's.

        queries, anchors: float32 [q, dimension], such as people and contents are searched for with; of none
        the number of lists stays as it is.
        """
        self.index.tidy()
        steps = calibration(self.index, queries, anchors, self._settings.min_recall)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                recall: float = end.value
                return recall
