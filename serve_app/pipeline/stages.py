"""The kinds of stages a ranking request passes, and what each kind promises.

The order is fixed (`RankingPipeline`): sources, filters, one hydrator, scorers, one selector, exploration.
All of it is synchronous: nothing awaits between retrieval and selection, so no delta comes in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from messages.arrays import BoolArray, DoubleArray, IntArray
from serve_app.pipeline.candidate import Candidates, Proposal, ScoredCandidates, Slate
from serve_app.pipeline.ranking_request import RankingRequest


class Source(Protocol):
    """Proposes contents: rows of the content table that are live, none twice, best first.

    One that raises is left out of that answer, and the trace says so.
    """

    @property
    def name(self) -> str: ...

    def propose(self, request: RankingRequest) -> Proposal: ...


class Filter(Protocol):
    """Says which candidates stay, bool [n]: so it can only remove, and neither reorders nor adds."""

    @property
    def name(self) -> str: ...

    def keep(self, request: RankingRequest, candidates: Candidates, /) -> BoolArray: ...


class Hydrator(Protocol):
    """Adds facts and features to candidates, in their order and number."""

    @property
    def name(self) -> str: ...

    def hydrate(self, request: RankingRequest, candidates: Candidates) -> ScoredCandidates: ...


class Scorer(Protocol):
    """Returns the same candidates in the same order and number, with probabilities or scores set.

    Dropping is a filter's job, ordering a selector's.
    """

    @property
    def name(self) -> str: ...

    def score(self, request: RankingRequest, scored: ScoredCandidates, /) -> ScoredCandidates: ...


@runtime_checkable
class SignalScorer(Protocol):
    """A scorer whose score is a sum over signals, and that can tell each one's part."""

    def signals(self, scored: ScoredCandidates) -> Mapping[str, DoubleArray]:
        """Return signal -> what it adds to the score, float64 [n]."""
        ...


@runtime_checkable
class SlateObserver(Protocol):
    """Keeps something across requests, and hears of every slate once it is composed."""

    def observe(
        self, request: RankingRequest, considered: ScoredCandidates, shown: ScoredCandidates, /
    ) -> None:
        """Take in one slate: all candidates that were scored, and those that are shown, best first."""
        ...


class Selector(Protocol):
    """Orders contents: positions in `scored`, int64 [min(count, n)], each once, best first."""

    @property
    def name(self) -> str: ...

    def select(self, scored: ScoredCandidates, count: int) -> IntArray: ...


class Exploration(Protocol):
    """Puts some contents at places that the order would not give them, and says how likely that was."""

    @property
    def name(self) -> str: ...

    def explore(self, request: RankingRequest, scored: ScoredCandidates, order: IntArray) -> Slate: ...
