"""The highest scores first, with a bound on each creator."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from messages.arrays import DoubleArray, IntArray
from serve_app.pipeline.candidate import ScoredCandidates
from serve_app.pipeline.creator_cap import CreatorCap


class SlateSettings(BaseModel):
    """max_per_creator: in one slate, 0 for no bound."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_per_creator: int = Field(2, ge=0)


class TopScoreSelector:
    """Greedy by score. NaN comes last; ties keep the candidates' order."""

    name = "top_score"

    def __init__(self, settings: SlateSettings) -> None:
        self._max_per_creator = settings.max_per_creator

    def select(self, scored: ScoredCandidates, count: int) -> IntArray:
        order = by_falling_score(scored.scores)
        if not self._max_per_creator:
            return order[:count]
        cap = CreatorCap(scored.candidates.creator_keys, self._max_per_creator)
        chosen = np.empty(min(count, len(order)), dtype=np.int64)
        cap.follow(order, chosen, np.empty_like(chosen))
        return chosen


def by_falling_score(scores: DoubleArray) -> IntArray:
    """Return positions by falling score, NaN last, ties in order, int64 [n]."""
    return np.argsort(-scores, kind="stable")
