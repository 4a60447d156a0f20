"""Each further content of a creator counts a little less."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

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
        order = by_falling_score(scored.scores)
        creators = scored.candidates.creator_keys[order]
        by_creator = np.argsort(creators, kind="stable")  # within a creator still by falling score
        firsts = np.flatnonzero(np.diff(creators[by_creator], prepend=~creators[by_creator[:1]]) != 0)
        lengths = np.diff(firsts, append=len(order))
        places = np.empty(len(order), dtype=np.int64)
        places[order[by_creator]] = np.arange(len(order)) - np.repeat(firsts, lengths)
        places[(scored.candidates.creator_keys == MISSING_KEY) | ~(scored.scores > 0)] = 0
        kept = (1 - self._floor) * self._decay ** places.astype(np.float64) + self._floor
        return replace(scored, scores=scored.scores * kept)
