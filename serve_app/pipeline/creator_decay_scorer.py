"""Each further content of a creator counts a little less."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numba import njit
from pydantic import BaseModel, ConfigDict, Field

from learners.key_sets import numbered
from messages.arrays import DoubleArray, IdArray
from messages.identifiers import MISSING_KEY
from serve_app.pipeline.candidate import ScoredCandidates
from serve_app.pipeline.ranking_request import RankingRequest
from serve_app.pipeline.top_score_selector import by_falling_score


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
        return replace(scored, scores=faded_scores(scored.scores, creators, self._decay, self._floor))


def faded_scores(scores: DoubleArray, creators: IdArray, decay: float, floor: float) -> DoubleArray:
    """Return what the scorer makes of scores, float64 [n]. creators: uint64 [n], their keys."""
    numbers, firsts = numbered(creators)
    faded = scores.copy()
    _let_fade(by_falling_score(scores), numbers, creators[firsts] != MISSING_KEY, decay, floor, faded)
    return faded


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _let_fade(order: Any, creators: Any, known: Any, decay: Any, floor: Any, scores: Any) -> None:
    """Multiply each score above zero, the best first, by what is left for its creator. creators: int64 [n],
    numbers from 0. known: bool [u], by number. scores: float64 [n], in place."""
    left = np.ones(len(known))
    for index in order:
        creator = creators[index]
        if known[creator]:
            if scores[index] > 0:
                scores[index] *= (1 - floor) * left[creator] + floor
            left[creator] *= decay
