"""Each further content of a creator counts a little less."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from pydantic import BaseModel, ConfigDict, Field

from learners.key_sets import first_of_each
from messages.arrays import DoubleArray, IdArray
from messages.identifiers import MISSING_KEY
from serve_app.pipeline.candidate import ScoredCandidates
from serve_app.pipeline.ranking_request import RankingRequest


class CreatorDecaySettings(BaseModel):
    """decay: the second best of a creator keeps this share of its score above the floor, the third decay
    squared; 1 for none. floor: the share that every content keeps."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    decay: float = Field(0.9, gt=0, le=1)
    floor: float = Field(0.5, ge=0, le=1)


class CreatorDecayScorer:
    """score * ((1 - floor) * decay ^ k + floor), k: how many of the creator's contents score higher.

    X's author diversity scorer (xai-org/x-algorithm). A score below zero is left as it is, or it would rise.
    """

    name = "creator_decay"

    def __init__(self, settings: CreatorDecaySettings) -> None:
        self._decay = settings.decay
        self._floor = settings.floor

    def score(self, _request: RankingRequest, scored: ScoredCandidates) -> ScoredCandidates:
        creators = scored.candidates.creator_keys
        return scored.with_scores(faded_scores(scored.scores, creators, self._decay, self._floor))


def faded_scores(scores: DoubleArray, creators: IdArray, decay: float, floor: float) -> DoubleArray:
    """Return what the scorer makes of scores, float64 [n]. creators: uint64 [n], their keys."""
    faded = scores.copy()
    _let_fade(creators, decay, floor, faded)
    return faded


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _let_fade(creators: Any, decay: Any, floor: Any, scores: Any) -> None:
    """Multiply each score above zero by what is left for its creator, whose contents go best first, ties in
    order. scores: float64 [n], in place. Contents are put in order by creator only, where most are alone.
    """
    numbers = np.empty(len(creators), dtype=np.int64)
    firsts = first_of_each(creators, numbers, 0)
    best = np.full(len(firsts), -1, dtype=np.int64)  # of each creator
    after = np.full(len(creators), -1, dtype=np.int64)  # the next best of the same
    for index, number in enumerate(numbers):
        if creators[index] == MISSING_KEY or not scores[index] > 0:
            continue  # these stay as they are, NaN too, and come after all that fades
        before, there = -1, best[number]
        while there >= 0 and scores[there] >= scores[index]:
            before, there = there, after[there]
        after[index] = there
        if before < 0:
            best[number] = index
        else:
            after[before] = index
    for creator in range(len(firsts)):
        left, index = 1.0, best[creator]
        while index >= 0:
            scores[index] *= (1 - floor) * left + floor
            left *= decay
            index = after[index]
