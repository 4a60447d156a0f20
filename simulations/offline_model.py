"""The system's own model in offline evaluation: learned by a replay, asked as serving asks it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from messages.arrays import DoubleArray, IntArray
from messages.content import ContentColumns
from messages.examples import HEAD_INDEX
from serve_app.pipeline.ranking_request import FeedRequest
from serve_app.pipeline.served_model import LearnedModel
from simulations.in_process import InProcessSettings, InProcessSystem
from simulations.interaction_table import InteractionTable, TableLog

_ENGAGE = HEAD_INDEX["engage"]


class LearnedOffline:
    """One pass over the rows in order of time, each learned once; then nothing moves.

    A ranking is by the engage head, since a view is what the lists are asked about.
    """

    name = "foryou"

    def __init__(self, settings: InProcessSettings | None = None) -> None:
        self._settings = settings or InProcessSettings()

    def fit(self, table: InteractionTable, contents: Sequence[str]) -> None:
        self._system = InProcessSystem(self._settings)
        log = TableLog(
            table,
            num_partitions=self._settings.joiner.num_partitions,
            window_rows=self._settings.max_rows,
        )
        self._system.replay(log.windows())
        self._model = LearnedModel(self._system.replica)
        self._contents = ContentColumns.of([table.contents[content] for content in contents])
        self._counters = self._system.replica.counters_of(self._contents.content_keys)
        self._now = float(table.rows["time"].iloc[-1]) if len(table) else 0.0

    def scores(self, user_id: str, numbers: IntArray) -> DoubleArray:
        request = self._system.request(FeedRequest(user_id, limit=1), self._now)
        contents, counters = self._contents.take(numbers), self._counters.take(numbers)
        features = self._model.features(request, contents, counters)
        return self._model.probabilities(request, features)[:, _ENGAGE].astype(np.float64)

    def probabilities(self, user_id: str, numbers: IntArray) -> DoubleArray | None:
        return self.scores(user_id, numbers)
