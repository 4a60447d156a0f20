"""A few places given to what might be better than is known: optimism in place of chance."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from messages.arrays import DoubleArray, IntArray
from messages.updates import COUNTER_TOTAL_INDEX
from serve_app.pipeline.candidate import ScoredCandidates, Slate
from serve_app.pipeline.creator_cap import CreatorCap
from serve_app.pipeline.ranking_request import RankingRequest
from serve_app.pipeline.score_spread import deviation_of
from serve_app.pipeline.top_score_selector import by_falling_score

_WATCHINGS = [COUNTER_TOTAL_INDEX["views"], COUNTER_TOTAL_INDEX["skips"]]


class UcbSettings(BaseModel):
    """every: each such place of a slate explores, the others follow the selector. confidence: how many
    deviations of the scores the bound of a content that was watched once lies above its score, by
    sqrt(ln N); higher explores more."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    every: int = Field(10, ge=1)
    confidence: float = Field(1.0, ge=0)


class UcbExploration:
    """At the exploring places: the highest score + confidence * deviation * sqrt(ln N / n) of all candidates.

    UCB1 (Auer, Cesa-Bianchi and Fischer, Machine Learning 47, 2002), with the model's score as the mean; n:
    how often everybody watched or skipped the content, N: the sum over the candidates. Nothing is drawn, so
    what is shown had no chance to be another: propensities are NaN, and off-policy evaluation refuses them.
    """

    name = "ucb"

    def __init__(self, settings: UcbSettings, max_per_creator: int) -> None:
        self._settings = settings
        self._max_per_creator = max_per_creator

    def explore(self, _request: RankingRequest, scored: ScoredCandidates, order: IntArray) -> Slate:
        count = len(order)
        others = np.ones(len(scored), dtype=np.bool_)
        others[order] = False
        by_score = by_falling_score(scored.scores)
        preferred = np.concatenate([order, by_score[others[by_score]]])
        optimistic = by_falling_score(self.upper_bounds(scored))
        cap = CreatorCap(scored.candidates.creator_keys, self._max_per_creator)
        places = np.empty(count, dtype=np.int64)
        explored = np.zeros(count, dtype=np.bool_)
        for place in range(count):
            greedy = chosen = cap.first_open(preferred)
            if (place + 1) % self._settings.every == 0:
                chosen = cap.first_open(optimistic)
                explored[place] = chosen != greedy
            places[place] = chosen
            cap.place(chosen)
        return Slate(places, np.full(count, np.nan, dtype=np.float32), explored)

    def upper_bounds(self, scored: ScoredCandidates) -> DoubleArray:
        """Return score and bonus, float64 [n]; NaN where the model has no answer."""
        watchings = scored.counters.totals[:, _WATCHINGS].sum(axis=1) + 1.0
        deviation = deviation_of(scored.scores)
        bonus = np.sqrt(np.log(watchings.sum()) / watchings)
        bounds: DoubleArray = scored.scores + self._settings.confidence * deviation * bonus
        return bounds
