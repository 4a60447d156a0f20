"""Runs the stages of one request in their fixed order and writes down what each did."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from messages.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from serve_app.model_replica import ModelReplica
from serve_app.pipeline.candidate import NO_PROPOSAL, Candidates, Proposal, ScoredCandidates, Slate
from serve_app.pipeline.ranking_request import RankingRequest
from serve_app.pipeline.slate_explanation import SlateExplanation, explain_slate
from serve_app.pipeline.stage_trace import StageTrace
from serve_app.pipeline.stages import (
    Exploration,
    Filter,
    Hydrator,
    Scorer,
    Selector,
    SignalScorer,
    SlateObserver,
    Source,
)

logger = logging.getLogger(__name__)

_Result = TypeVar("_Result")
_Stages = Generator[None, None, _Result]


@dataclass(frozen=True, slots=True)
class RankedSlate:
    """The answer of the pipeline: k contents, best first, and how they came there.

    scored: None where there was no candidate at all. sources: k names. propensities, explored: as in `Slate`.
    explanation: where the request asks for one. considered: all that were scored, what is shown among them.
    proposals: of each source, in their order.
    """

    scored: ScoredCandidates | None
    sources: list[str]
    propensities: FloatArray
    explored: BoolArray
    trace: StageTrace
    explanation: SlateExplanation | None = None
    considered: ScoredCandidates | None = None
    proposals: Sequence[Proposal] = ()

    def __len__(self) -> int:
        return len(self.sources)


@dataclass(frozen=True, slots=True)
class Consideration:
    """What the pipeline makes of one content, asked about apart from the slate.

    scored: one row. removed_by: the first filter that would not show it, None where all would.
    proposed_by: the sources that put it forward for this request.
    """

    scored: ScoredCandidates
    removed_by: str | None
    proposed_by: list[str]


class RankingPipeline:
    """sources -> filters -> hydrator -> scorers -> selector -> exploration.

    Synchronous from the first source to the last place: row numbers, features and scores of one answer all
    belong to one state of the replica. `timer` gives seconds for the trace. observers: see `observe`.
    """

    def __init__(
        self,
        *,
        replica: ModelReplica,
        sources: Sequence[Source],
        filters: Sequence[Filter],
        hydrator: Hydrator,
        scorers: Sequence[Scorer],
        selector: Selector,
        exploration: Exploration,
        observers: Sequence[SlateObserver] = (),
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._replica = replica
        self._sources = tuple(sources)
        self._filters = tuple(filters)
        self._hydrator = hydrator
        self._scorers = tuple(scorers)
        self._selector = selector
        self._exploration = exploration
        self._observers = tuple(observers)
        self._timer = timer

    def rank(self, request: RankingRequest) -> RankedSlate:
        """Compose one slate of at most `request.limit` contents."""
        (slate,) = self.rank_together([request])
        if isinstance(slate, Exception):
            raise slate
        return slate

    def rank_together(self, requests: Sequence[RankingRequest]) -> list[RankedSlate | Exception]:
        """Compose a slate for each of several requests, stage by stage, so that they share what a stage has
        brought into the caches. Of one that failed it returns the exception: that is nothing to the others.
        """
        slates: list[RankedSlate | Exception | None] = [None] * len(requests)
        under_way = {place: self._stages_of(request) for place, request in enumerate(requests)}
        while under_way:
            for place, stages in list(under_way.items()):
                try:
                    next(stages)
                    continue
                except StopIteration as end:
                    slates[place] = end.value
                except Exception as error:  # noqa: BLE001 (the caller's to raise)
                    slates[place] = error
                del under_way[place]
        return [slate for slate in slates if slate is not None]

    def _stages_of(self, request: RankingRequest) -> _Stages[RankedSlate]:
        """Rank, and stop after each stage."""
        trace = StageTrace()
        proposals = yield from self._propose(request, trace)
        contents = self._replica.state.contents
        candidates = Candidates.of(proposals, contents.content_keys, contents.creator_keys)
        candidates = yield from self._filter(request, candidates, trace)
        if not len(candidates):
            nothing = np.empty(0, dtype=np.float32)
            return RankedSlate(None, [], nothing, nothing.astype(np.bool_), trace, proposals=proposals)
        scored, steps = yield from self._score(request, candidates, trace)
        selected, slate = yield from self._select(request, scored, trace)
        shown = scored.take(slate.order, self._replica.contents(scored.candidates.rows[slate.order]))
        names = [self._sources[code].name for code in shown.candidates.source_codes]
        explanation = None
        if request.explain:
            explanation = explain_slate(steps, self._signals(scored), scored, selected, slate.order)
        return RankedSlate(
            shown, names, slate.propensities, slate.explored, trace, explanation, scored, proposals
        )

    def observe(self, request: RankingRequest, slate: RankedSlate) -> None:
        """Tell the observers of a slate that will be shown; apart from `rank`, so that it may be done while
        the broker takes the impression, and not at all for a slate that nobody sees."""
        if slate.considered is not None and slate.scored is not None:
            for observer in self._observers:
                observer.observe(request, slate.considered, slate.scored)

    def consider(self, request: RankingRequest, row: int, slate: RankedSlate) -> Consideration:
        """Score one content, whatever sources and filters say of it, and tell what they say.

        slate: what `rank` made of this request, in the same state of the replica.
        """
        contents = self._replica.state.contents
        alone = Candidates.of(
            [Proposal.of(np.array([row], dtype=np.int64))], contents.content_keys, contents.creator_keys
        )
        refusing = (stage.name for stage in self._filters if not stage.keep(request, alone).all())
        return Consideration(
            scored=_to_the_end(self._score(request, alone, StageTrace()))[0],
            removed_by=next(refusing, None),
            proposed_by=[
                source.name
                for source, proposal in zip(self._sources, slate.proposals, strict=True)
                if row in proposal.rows
            ],
        )

    def _propose(self, request: RankingRequest, trace: StageTrace) -> _Stages[list[Proposal]]:
        proposals = []
        for source in self._sources:
            started = self._timer()
            try:
                proposal = source.propose(request)
            except Exception as error:  # a feed of the other sources is better than none
                logger.warning("Source %s is left out of an answer.", source.name, exc_info=True)
                trace.failures[source.name] = f"{type(error).__name__}: {error}"
                proposal = NO_PROPOSAL
            proposals.append(proposal)
            trace.add("source", source.name, self._timer() - started, 0, len(proposal))
            yield
        return proposals

    def _filter(
        self, request: RankingRequest, candidates: Candidates, trace: StageTrace
    ) -> _Stages[Candidates]:
        for stage in self._filters:
            started, num_in = self._timer(), len(candidates)
            kept = stage.keep(request, candidates)
            if not kept.all():
                candidates = candidates.take(kept)
            trace.add("filter", stage.name, self._timer() - started, num_in, len(candidates))
            yield
        return candidates

    def _score(
        self, request: RankingRequest, candidates: Candidates, trace: StageTrace
    ) -> _Stages[tuple[ScoredCandidates, list[tuple[str, DoubleArray]]]]:
        """Return the candidates as the last scorer leaves them, and the scores after each that changed
        them."""
        count = len(candidates)
        started = self._timer()
        scored = self._hydrator.hydrate(request, candidates)
        trace.add("hydrator", self._hydrator.name, self._timer() - started, count, len(scored))
        yield
        steps = []
        for stage in self._scorers:
            started, before = self._timer(), scored.scores
            scored = stage.score(request, scored)
            trace.add("scorer", stage.name, self._timer() - started, count, len(scored))
            if scored.scores is not before:
                steps.append((stage.name, scored.scores))
            yield
        return scored, steps

    def _select(
        self, request: RankingRequest, scored: ScoredCandidates, trace: StageTrace
    ) -> _Stages[tuple[IntArray, Slate]]:
        started = self._timer()
        order = self._selector.select(scored, request.limit)
        trace.add("selector", self._selector.name, self._timer() - started, len(scored), len(order))
        yield
        started = self._timer()
        slate = self._exploration.explore(request, scored, order)
        trace.add("exploration", self._exploration.name, self._timer() - started, len(order), len(slate))
        return order, slate

    def _signals(self, scored: ScoredCandidates) -> dict[str, DoubleArray]:
        parts: dict[str, DoubleArray] = {}
        for stage in self._scorers:
            if isinstance(stage, SignalScorer):
                parts |= stage.signals(scored)
        return parts


def _to_the_end(stages: _Stages[_Result]) -> _Result:
    while True:
        try:
            next(stages)
        except StopIteration as end:
            result: _Result = end.value
            return result
