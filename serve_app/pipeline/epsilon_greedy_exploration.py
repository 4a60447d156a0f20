"""A few places given by chance, so that the learner hears about what the policy would not show."""

from __future__ import annotations

import numpy as np
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
        places = np.empty(count, dtype=np.int64)
        propensities = np.empty(count, dtype=np.float32)
        explored = np.zeros(count, dtype=np.bool_)
        for place in range(count):
            # What was drawn may have taken the places of those in the order: the next by score come in.
            preferred = order if cap.open[order].any() else by_falling_score(scored.scores)
            greedy = chosen = cap.first_open(preferred)
            if drawn[place]:
                chosen = int(request.generator.choice(np.flatnonzero(cap.open)))
                explored[place] = chosen != greedy
            places[place] = chosen
            propensities[place] = (1 - self._epsilon) * (chosen == greedy) + self._epsilon / cap.num_open
            cap.place(chosen)
        return Slate(places, propensities, explored)
