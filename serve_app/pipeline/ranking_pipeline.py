"""Runs the stages of one request in their fixed order and writes down what each did."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from messages.arrays import BoolArray, FloatArray
from serve_app.model_replica import ModelReplica
from serve_app.pipeline.candidate import Candidates, Proposal, ScoredCandidates, Slate
from serve_app.pipeline.ranking_request import RankingRequest
from serve_app.pipeline.stage_trace import StageTrace
from serve_app.pipeline.stages import Exploration, Filter, Hydrator, Scorer, Selector, Source


@dataclass(frozen=True, slots=True)
class RankedSlate:
    """The answer of the pipeline: k contents, best first, and how they came there.

    scored: None where there was no candidate at all. sources: k names. propensities, explored: as in `Slate`.
    """

    scored: ScoredCandidates | None
    sources: list[str]
    propensities: FloatArray
    explored: BoolArray
    trace: StageTrace

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
    belong to one state of the replica. `timer` gives seconds for the trace.
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
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._replica = replica
        self._sources = tuple(sources)
        self._filters = tuple(filters)
        self._hydrator = hydrator
        self._scorers = tuple(scorers)
        self._selector = selector
        self._exploration = exploration
        self._timer = timer

    def rank(self, request: RankingRequest) -> RankedSlate:
        """Compose one slate of at most `request.limit` contents."""
        trace = StageTrace()
        candidates = self._filter(request, self._propose(request, trace), trace)
        if not len(candidates):
            return RankedSlate(None, [], np.empty(0, dtype=np.float32), np.empty(0, dtype=np.bool_), trace)
        scored = self._score(request, candidates, trace)
        slate = self._select(request, scored, trace)
        chosen = scored.take(slate.order)
        names = [self._sources[code].name for code in chosen.candidates.source_codes]
        return RankedSlate(chosen, names, slate.propensities, slate.explored, trace)

    def consider(self, request: RankingRequest, row: int) -> Consideration:
        """Score one content, whatever sources and filters say of it, and tell what they say."""
        proposals = [source.propose(request) for source in self._sources]
        contents = self._replica.state.contents
        alone = Candidates.of(
            [Proposal.of(np.array([row], dtype=np.int64))], contents.content_keys, contents.creator_keys
        )
        refusing = (stage.name for stage in self._filters if not stage.keep(request, alone).all())
        return Consideration(
            scored=self._score(request, alone, StageTrace()),
            removed_by=next(refusing, None),
            proposed_by=[
                source.name
                for source, proposal in zip(self._sources, proposals, strict=True)
                if row in proposal.rows
            ],
        )

    def _propose(self, request: RankingRequest, trace: StageTrace) -> Candidates:
        proposals = []
        for source in self._sources:
            started = self._timer()
            proposals.append(source.propose(request))
            trace.add("source", source.name, self._timer() - started, 0, len(proposals[-1]))
        contents = self._replica.state.contents
        return Candidates.of(proposals, contents.content_keys, contents.creator_keys)

    def _filter(self, request: RankingRequest, candidates: Candidates, trace: StageTrace) -> Candidates:
        for stage in self._filters:
            started, num_in = self._timer(), len(candidates)
            kept = stage.keep(request, candidates)
            if not kept.all():
                candidates = candidates.take(kept)
            trace.add("filter", stage.name, self._timer() - started, num_in, len(candidates))
        return candidates

    def _score(self, request: RankingRequest, candidates: Candidates, trace: StageTrace) -> ScoredCandidates:
        count = len(candidates)
        started = self._timer()
        scored = self._hydrator.hydrate(request, candidates)
        trace.add("hydrator", self._hydrator.name, self._timer() - started, count, len(scored))
        for stage in self._scorers:
            started = self._timer()
            scored = stage.score(request, scored)
            trace.add("scorer", stage.name, self._timer() - started, count, len(scored))
        return scored

    def _select(self, request: RankingRequest, scored: ScoredCandidates, trace: StageTrace) -> Slate:
        started = self._timer()
        order = self._selector.select(scored, request.limit)
        trace.add("selector", self._selector.name, self._timer() - started, len(scored), len(order))
        started = self._timer()
        slate = self._exploration.explore(request, scored, order)
        trace.add("exploration", self._exploration.name, self._timer() - started, len(order), len(slate))
        return slate
