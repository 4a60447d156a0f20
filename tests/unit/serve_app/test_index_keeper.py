"""Lists are learned when they are due, and what is told of their recall is the mean of many searches."""

from __future__ import annotations

import asyncio
import itertools
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from serve_app.content_index import ContentIndex
from serve_app.index_keeper import IndexKeeper
from serve_app.index_rebuild import ContentIndexSettings
from serve_app.serving_metrics import ServingMetrics

NUM_CONTENTS, DIMENSION = 2_000, 8
NONE = np.empty(0, dtype=np.int64)


class Tended:
    """An index whose people have searched, and its keeper. seconds: what each search takes."""

    def __init__(self, seconds: float = 0.0) -> None:
        draws = np.random.default_rng(0)
        self.index = ContentIndex(DIMENSION, ContentIndexSettings(exact_up_to=500, min_recall=0.9))
        vectors = draws.standard_normal((NUM_CONTENTS, DIMENSION)).astype(np.float32)
        self.index.put(np.arange(NUM_CONTENTS), vectors)
        for query in draws.standard_normal((40, 1, DIMENSION)).astype(np.float32):
            self.index.search(query, 10, NONE)
        self.metrics = ServingMetrics()
        replica: Any = SimpleNamespace(state=SimpleNamespace(index=self.index))
        self.pauses: list[float] = []
        timer = itertools.count(step=seconds)
        self.keeper = IndexKeeper(replica, self.metrics, sleep=self._sleep, timer=lambda: next(timer))

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def tend(self) -> float:
        asyncio.run(self.keeper.tend())
        recall = self.metrics.registry.get_sample_value("foryou_ann_recall")
        assert recall is not None
        return recall


def test_lists_are_learned_where_there_are_many_contents_and_reach_the_recall_asked_for() -> None:
    tended = Tended()

    recall = tended.tend()

    assert tended.index.inverted is not None
    assert 0.9 <= recall <= 1


def test_one_search_that_finds_little_is_one_of_many() -> None:
    tended = Tended()
    tended.tend()
    before = tended.tend()  # calibrated for the second time: not again with the next one
    inverted = tended.index.inverted
    assert inverted is not None
    inverted.num_probes = 1  # as if people's searches had moved away

    after = tended.tend()

    assert before - 0.1 < after < before


def test_searches_of_a_calibration_leave_nearly_all_the_time_to_requests() -> None:
    quick, slow = Tended(seconds=0.0001), Tended(seconds=0.004)
    for tended in (quick, slow):
        tended.tend()
        tended.pauses.clear()  # of the learning
        tended.tend()

    assert len(quick.pauses) > 32
    assert set(quick.pauses) == {0.01}
    assert len(slow.pauses) > 32
    assert slow.pauses == pytest.approx([0.08] * len(slow.pauses))
