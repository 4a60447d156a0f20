"""Keeps a replica's index good while it serves: trains lists aside when they are due, and measures recall."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from messages.arrays import FloatArray
from serve_app.content_index import ContentIndex
from serve_app.model_replica import ModelReplica
from serve_app.probe_calibration import FOUND_TOP, TRUE_TOP, recall_of
from serve_app.serving_metrics import ServingMetrics

logger = logging.getLogger(__name__)

_MEASURED = 64
_TELLING = 32
"""Queries whose mean recall says something."""
_TOLERATED = 0.005
"""Below what searches are to reach: a mean of few queries strays."""
_MAX_LOOKS_BETWEEN = 128
_STEP_SECONDS, _STEP_TIMES = 0.01, 20
"""From one search of a calibration to the next, of hundreds: at least so many seconds, and so many times what
it took. Requests would feel a burst of them, and among millions of contents one takes as long as they do."""
_NONE = np.empty(0, dtype=np.int64)


class IndexKeeperSettings(BaseModel):
    """Seconds between two looks at the index; each measures the recall of one query by an exact search."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    every_seconds: float = Field(5.0, gt=0)


class IndexKeeper:
    """Runs beside the requests on their thread; what takes seconds runs by `aside`, in another.

    Only copies and slices of a few hundred rows happen between requests, so none waits for a training.
    """

    def __init__(
        self,
        replica: ModelReplica,
        metrics: ServingMetrics,
        settings: IndexKeeperSettings | None = None,
        *,
        aside: Callable[..., Awaitable[Any]] = asyncio.to_thread,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._replica = replica
        self._metrics = metrics
        self._settings = settings or IndexKeeperSettings()
        self._aside = aside
        self._sleep = sleep
        self._timer = timer
        self._recalls: deque[float] = deque(maxlen=_MEASURED)
        self._looks, self._looks_between = 0, 0
        """Since the last calibration, and from one to the next: twice as many each time, since a model moves
        most when it has just begun."""

    async def run(self) -> None:
        """Tend until cancelled; whatever goes wrong, searches go on by what there is."""
        while True:
            try:
                await self.tend()
            except Exception:
                logger.exception("The index could not be tended.")
            await self._sleep(self._settings.every_seconds)

    async def tend(self) -> None:
        """Train new lists where they are due, look through more or fewer where that is, then measure."""
        index = self._replica.state.index
        if index.wants_rebuild:
            await self._rebuild(index)
        if self._calibration_is_due(index):
            await self._calibrate(index)
        self._measure(index)

    def _calibration_is_due(self, index: ContentIndex) -> bool:
        """Say whether what is searched for may have moved away from what was calibrated by: so that too many
        lists are probed by now, or too few."""
        if index.inverted is None or len(index.recent_queries) < _TELLING:
            return False
        self._looks += 1
        return index.wants_calibration or self._looks >= self._looks_between or self._finds_too_little(index)

    def _finds_too_little(self, index: ContentIndex) -> bool:
        recall = np.mean(self._recalls) if len(self._recalls) >= _TELLING else 1.0
        return bool(recall < index.min_recall - _TOLERATED)

    async def _calibrate(self, index: ContentIndex) -> None:
        """In this thread, a search at a time: one beside a change of the lists would find wrong rows."""
        before, started = (index.inverted, index.num_probes), self._timer()
        for _ in index.calibrate():
            await self._sleep(max(_STEP_SECONDS, _STEP_TIMES * (self._timer() - started)))
            started = self._timer()
        self._looks = 0
        self._looks_between = min(max(1, 2 * self._looks_between), _MAX_LOOKS_BETWEEN)
        if (index.inverted, index.num_probes) != before:
            self._recalls.clear()
            logger.info("%d lists probed from now on, not %d", index.num_probes, before[1])

    async def _rebuild(self, index: ContentIndex) -> None:
        rebuild = index.begin_rebuild()
        try:
            await self._aside(rebuild.train, await self._copies(index, rebuild.sample_rows))
            for rows, vectors in index.copies(rebuild.rows):
                await self._aside(rebuild.add, rows, vectors)
            queries, anchors = (
                np.array(list(asked), dtype=np.float32).reshape(-1, index.dimension)
                for asked in (index.recent_queries, index.recent_anchors)
            )
            recall = await self._aside(rebuild.calibrate, queries, anchors)
            for _ in index.finish_rebuild():
                await self._sleep(0)
        except BaseException:
            index.drop_rebuild()
            raise
        self._recalls.clear()
        self._looks, self._looks_between = 0, 0
        inverted = index.inverted
        assert inverted is not None
        logger.info(
            "%d contents in %d lists; %d probed, recall %.3f",
            len(index), inverted.num_lists, inverted.num_probes, recall,
        )  # fmt: skip

    async def _copies(self, index: ContentIndex, rows: np.ndarray[Any, Any]) -> FloatArray:
        parts = []
        for _, vectors in index.copies(rows):
            parts.append(vectors)
            await self._sleep(0)
        return np.concatenate(parts)

    def _measure(self, index: ContentIndex) -> None:
        self._metrics.index_contents.set(len(index))
        self._metrics.index_lists.set(0 if index.inverted is None else index.inverted.num_lists)
        self._metrics.index_probes.set(index.num_probes)
        if index.inverted is None:
            self._metrics.ann_recall.set(1.0)
        elif index.recent_queries:
            query = index.recent_queries[-1][np.newaxis]
            true, _ = index.search_exact(query, TRUE_TOP, _NONE)
            found = index.inverted.search(query[0], FOUND_TOP)
            self._recalls.append(recall_of(true, [found]))
            # Until there are enough, those count too by which the number of lists was found out.
            is_few = len(self._recalls) < _TELLING
            calibrated_by = index.inverted.num_calibrated_by if is_few else 0
            told = [*self._recalls, *[index.inverted.calibrated_recall] * calibrated_by]
            self._metrics.ann_recall.set(float(np.mean(told)))
