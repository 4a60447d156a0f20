"""Each further content of a creator counts a little less."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numba import njit
from pydantic import BaseModel, ConfigDict, Field

from learners.key_sets import numbered
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
        numbers, firsts = numbered(creators)
        places = _places_within(by_falling_score(scored.scores), numbers, len(firsts))
        places[(creators == MISSING_KEY) | ~(scored.scores > 0)] = 0
        kept = (1 - self._floor) * self._decay ** places.astype(np.float64) + self._floor
        return replace(scored, scores=scored.scores * kept)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _places_within(order: Any, groups: Any, num_groups: Any) -> Any:
    """Return how many of the same group come before each in `order`, int64 [n]. groups: int64 [n], from 0."""
    counts = np.zeros(num_groups, dtype=np.int64)
    places = np.empty(len(order), dtype=np.int64)
    for index in order:
        places[index] = counts[groups[index]]
        counts[groups[index]] += 1
    return places
