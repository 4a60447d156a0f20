"""A few places given by chance, so that the learner hears about what the policy would not show."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numba import njit
from pydantic import BaseModel, ConfigDict, Field

from messages.arrays import IntArray
from serve_app.pipeline.candidate import ScoredCandidates, Slate
from serve_app.pipeline.creator_cap import CreatorCap
from serve_app.pipeline.ranking_request import RankingRequest
from serve_app.pipeline.top_score_selector import by_falling_score


class ExplorationSettings(BaseModel):
    """epsilon: the chance that a place is drawn uniformly from all candidates in place of the best one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    epsilon: float = Field(0.05, ge=0, le=1)


class EpsilonGreedyExploration:
    """Fills the places one after the other: with 1 - epsilon by the selector's order, else by a draw.

    Let m be the number of candidates open to a place (not placed yet, their creator under the cap) and g the
    first of the selector's order among them (then by score). A content a comes there with probability (1 -
    epsilon) * [a is g] + epsilon / m, given the candidates and the places before: exactly what is logged,
    also where the draw happens to hit g. The product over the places is the slate's propensity.
    """

    name = "epsilon_greedy"

    def __init__(self, settings: ExplorationSettings, max_per_creator: int) -> None:
        self._epsilon = settings.epsilon
        self._max_per_creator = max_per_creator

    def explore(self, request: RankingRequest, scored: ScoredCandidates, order: IntArray) -> Slate:
        count = len(order)
        if self._epsilon == 0:
            return Slate(order, np.ones(count, dtype=np.float32), np.zeros(count, dtype=np.bool_))
        cap = CreatorCap(scored.candidates.creator_keys, self._max_per_creator)
        drawn = request.generator.random(count) < self._epsilon
        places, num_open = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
        explored = np.zeros(count, dtype=np.bool_)
        for start, end in pairwise([-1, *np.flatnonzero(drawn).tolist(), count]):
            self._follow(cap, scored, order, places[start + 1 : end], num_open[start + 1 : end])
            if end < count:
                num_open[end] = cap.num_open
                places[end] = np.flatnonzero(cap.open)[request.generator.integers(cap.num_open)]
                explored[end] = places[end] != _greedy(cap, scored, order)
                cap.place(places[end])
        propensities = np.empty(count, dtype=np.float32)
        _put_propensities(self._epsilon, explored, num_open, propensities)
        return Slate(places, propensities, explored)

    def _follow(
        self, cap: CreatorCap, scored: ScoredCandidates, order: IntArray, places: IntArray, num_open: IntArray
    ) -> None:
        """Fill places without a draw. What was drawn may have taken those of the order, or closed them by
        their creator: then the next by score comes in."""
        filled = 0
        while filled < len(places):
            num_followed = cap.follow(order, places[filled:], num_open[filled:])
            if not num_followed:
                part = slice(filled, filled + 1)
                num_followed = cap.follow(by_falling_score(scored.scores), places[part], num_open[part])
            filled += num_followed


def _greedy(cap: CreatorCap, scored: ScoredCandidates, order: IntArray) -> int:
    """Return what the place would hold without a draw."""
    first = cap.first_open(order)
    return first if first >= 0 else cap.first_open(by_falling_score(scored.scores))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _put_propensities(epsilon: Any, explored: Any, num_open: Any, propensities: Any) -> None:
    for place in range(len(propensities)):
        greedily = 0.0 if explored[place] else 1 - epsilon
        propensities[place] = greedily + epsilon / num_open[place]
