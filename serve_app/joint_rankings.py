"""Rankings of several requests as one: those that are there at the same moment go through the stages side by
side.

What a stage brings into the caches for one request, its code above all, is there for the others: of eight
together each takes a quarter less of the processor than alone. So where more are on their way here, those
that have come wait for them, less than one ranking takes.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from serve_app.answer_pulse import AnswerPulse
from serve_app.pipeline.ranking_pipeline import RankedSlate
from serve_app.pipeline.ranking_request import RankingRequest
from serve_app.serving_models import ServingModel

_MOST = 8
"""Rankings side by side: nothing else has its turn meanwhile, neither a delta nor another request's next
step, so that with twice as many those of a busy replica wait longer than they gain."""

_PATIENCE_SECONDS = 0.002

_Composed = TypeVar("_Composed")


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting(Generic[_Composed]):
    model: ServingModel
    hydrate: Callable[[], RankingRequest]
    compose: Callable[[RankingRequest, RankedSlate], _Composed]
    composed: asyncio.Future[_Composed]


class JointRankings(Generic[_Composed]):
    """Ranks on the event loop; from the hydration of a request to its answer nothing changes the model.

    pulse: learns how long and how surely each model ranks. timer: seconds.
    """

    def __init__(self, pulse: AnswerPulse, timer: Callable[[], float] = time.perf_counter) -> None:
        self._pulse = pulse
        self._timer = timer
        self._waiting: list[_Waiting[_Composed]] = []
        self._num_coming = 0
        self._num_leaving = 0
        self._waits_since = 0.0

    @contextlib.contextmanager
    def coming(self) -> Iterator[None]:
        """Say that a request is about to need a ranking: inside is what must come before."""
        self._num_coming += 1
        try:
            yield
        finally:
            self._num_coming -= 1

    @contextlib.contextmanager
    def leaving(self) -> Iterator[None]:
        """Say that a request has its ranking: inside is what comes after it."""
        self._num_leaving += 1
        try:
            yield
        finally:
            self._num_leaving -= 1

    async def rank(
        self,
        model: ServingModel,
        hydrate: Callable[[], RankingRequest],
        compose: Callable[[RankingRequest, RankedSlate], _Composed],
    ) -> _Composed:
        """Return what `compose` makes of a request and its slate in the moment they are ranked.

        Raises what hydrating, ranking or composing raises; that is nothing to the others.
        """
        waiting = _Waiting(model, hydrate, compose, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if len(self._waiting) == 1:
            self._waits_since = self._timer()
            if self._num_coming:
                self._rank_soon()
            else:
                self._rank_some()
        return await waiting.composed

    def _rank_soon(self) -> None:
        asyncio.get_running_loop().call_soon(self._rank_when_together)

    def _rank_when_together(self) -> None:
        """Rank once all who are coming have come, or time is up: till then the loop reads what there is.

        Where more wait than are ranked at once, those that were go first: each of the steps that they have
        left, the broker's answer and the store's, would else take as long as a ranking of the others.
        """
        is_time_up = self._timer() - self._waits_since >= _PATIENCE_SECONDS
        awaited = self._num_coming if len(self._waiting) < _MOST else self._num_leaving
        if awaited and not is_time_up:
            self._rank_soon()
        else:
            self._rank_some()

    def _rank_some(self) -> None:
        """Rank those for one model that came first, and the others after the loop had its turn."""
        model = self._waiting[0].model
        chosen = [waiting for waiting in self._waiting if waiting.model is model][:_MOST]
        self._waiting = [waiting for waiting in self._waiting if waiting not in chosen]
        try:
            self._rank_together(model, [waiting for waiting in chosen if not waiting.composed.cancelled()])
        finally:
            if self._waiting:
                self._waits_since = self._timer()
                self._rank_soon()

    def _rank_together(self, model: ServingModel, chosen: list[_Waiting[_Composed]]) -> None:
        started, failures = self._timer(), 0
        hydrated: list[tuple[_Waiting[_Composed], RankingRequest]] = []
        for waiting in chosen:
            try:
                hydrated.append((waiting, waiting.hydrate()))
            except Exception as error:  # noqa: BLE001 (whoever awaits it sees it)
                failures += 1
                waiting.composed.set_exception(error)
        slates = model.pipeline.rank_together([request for _, request in hydrated])
        failures += sum(isinstance(slate, Exception) for slate in slates)
        if chosen:
            self._pulse.ranked(model.replica.model_id, self._timer() - started, len(chosen), failures)
        for (waiting, request), slate in zip(hydrated, slates, strict=True):
            try:
                if isinstance(slate, Exception):
                    raise slate
                waiting.composed.set_result(waiting.compose(request, slate))
            except Exception as error:  # noqa: BLE001 (likewise)
                waiting.composed.set_exception(error)
