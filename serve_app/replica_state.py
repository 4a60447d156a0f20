"""Everything that one full copy of a served model consists of, and how each kind of change moves it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from messages.arrays import DoubleArray, FloatArray, IdArray, IntArray
from messages.content import ContentColumns
from messages.impressions import ModelVersion
from messages.updates import DECAYED_COUNTERS, HALF_LIVES, CounterRows, Position, Rows
from serve_app.content_index import ContentIndex
from serve_app.content_table import ContentTable
from serve_app.counter_columns import CounterColumns
from serve_app.embedding_rows import EmbeddingRows
from serve_app.index_rebuild import ContentIndexSettings
from serve_app.recent_contents import RecentContents
from serve_app.top_rows import TopRows

NUM_TOP_ROWS = 1_000
RECENT_PER_KEY = 100
_ENGAGED = DECAYED_COUNTERS.index("engaged")


class SlotShape(Protocol):
    """What a replica must know of a slot; `parameter_server.settings.SlotSettings` has it."""

    @property
    def dimension(self) -> int: ...

    @property
    def initial_scale(self) -> float: ...


class ReplicaState:
    """Rows by slot, counters, contents, the index and the lists made from them, dense weights, positions.

    retrieval_slot: whose rows the index holds, by content key. content_vectors: makes the vectors to be
    searched of retrieval rows, float32 [n, dimension] -> float32 [n, R + 1]. like: an index whose lists the
    new one begins with.
    """

    def __init__(
        self,
        slots: Mapping[str, SlotShape],
        retrieval_slot: str,
        content_vectors: Callable[[FloatArray], FloatArray],
        index_settings: ContentIndexSettings | None = None,
        like: ContentIndex | None = None,
    ) -> None:
        self.embeddings = {
            name: EmbeddingRows(name, shape.dimension, shape.initial_scale) for name, shape in slots.items()
        }
        self.retrieval_slot = retrieval_slot
        self._content_vectors = content_vectors
        retrieval_dimension = slots[retrieval_slot].dimension
        vectors = content_vectors(np.zeros((1, retrieval_dimension), dtype=np.float32))
        self.index = ContentIndex(vectors.shape[1], index_settings, like)
        self.counters = CounterColumns()
        self.contents = ContentTable()
        self.trending = TopRows(NUM_TOP_ROWS)
        self.fresh = TopRows(NUM_TOP_ROWS)
        self.by_creator = RecentContents(RECENT_PER_KEY)
        self.by_category = RecentContents(RECENT_PER_KEY)
        self.dense: Mapping[str, FloatArray] = {}
        self.positions: Mapping[int, Position] = {}
        self.version: ModelVersion | None = None

    def put_rows(self, slot: str, rows: Rows) -> None:
        self.embeddings[slot].put(rows)
        if slot == self.retrieval_slot:
            self._index_contents(rows.ids)

    def remove_rows(self, slot: str, ids: IdArray) -> None:
        self.embeddings[slot].remove(ids)
        if slot == self.retrieval_slot:
            self._index_contents(ids)

    def put_counters(self, counters: CounterRows) -> None:
        self.counters.put(counters)
        rows = self.contents.find(counters.ids)
        known = rows >= 0
        self.trending.put(rows[known], trend_keys(counters)[known])

    def put_contents(self, contents: ContentColumns) -> None:
        rows = self.contents.put(contents)
        self._index_contents(contents.content_keys)
        self.fresh.put(rows, contents.upload_times)
        self.trending.put(rows, trend_keys(self.counters.read(contents.content_keys)))
        self.by_creator.add(contents.creator_keys, rows)
        self.by_category.add(contents.category_keys, rows)

    def remove_contents(self, keys: IdArray) -> None:
        rows = self.contents.remove(keys)
        self.index.remove(rows)
        self.fresh.remove(rows)
        self.trending.remove(rows)

    def _index_contents(self, keys: IdArray) -> None:
        """Bring the vectors of those contents that are known to what their retrieval rows are now."""
        rows: IntArray = self.contents.find(keys)
        known = rows >= 0
        if known.any():
            retrieval_rows = self.embeddings[self.retrieval_slot].read(keys[known])
            self.index.put(rows[known], self._content_vectors(retrieval_rows))


def trend_keys(counters: CounterRows) -> DoubleArray:
    """Order contents by how many engage with them now, float64 [n], -inf where nobody does.

    A forward-decayed sum s as of time t is worth s * 2^-((now - t) / half-life) now. Its logarithm less the
    part that is the same for all contents is log2(s) + t / half-life: an order that no clock changes.
    """
    engaged = counters.decayed[:, 0, _ENGAGED]
    keys = np.full(len(counters), -np.inf)
    seen = engaged > 0
    keys[seen] = np.log2(engaged[seen]) + counters.times[seen] / HALF_LIVES[0]
    return keys
