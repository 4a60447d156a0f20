"""Not the same category page after page."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from learners.key_sets import numbered
from messages.identifiers import MISSING_KEY
from serve_app.model_replica import ModelReplica
from serve_app.pipeline.candidate import ScoredCandidates
from serve_app.pipeline.ranking_request import RankingRequest
from serve_app.pipeline.score_spread import deviation_of


class CategoryMixSettings(BaseModel):
    """window: the contents shown to this person last that count. max_share: of one category among them, up to
    which nothing happens. strength: what a content of a category that filled the whole window loses, in
    deviations of the request's scores; 0 for none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    window: int = Field(40, ge=1)
    max_share: float = Field(0.5, ge=0, lt=1)
    strength: float = Field(0.5, ge=0)


class CategoryMixScorer:
    """score - strength * deviation * (share - max_share) / (1 - max_share), where share is above max_share.

    share: of the content's category among what the person was shown last. Contents that have left the
    catalogue count in none; until the window is half full nothing is held against a category.
    """

    name = "category_mix"

    def __init__(self, settings: CategoryMixSettings, replica: ModelReplica) -> None:
        self._settings = settings
        self._replica = replica

    def score(self, request: RankingRequest, scored: ScoredCandidates) -> ScoredCandidates:
        settings, contents = self._settings, self._replica.state.contents
        rows = contents.find(request.served[-settings.window :])
        shown = contents.category_keys[rows[rows >= 0]]
        if 2 * len(shown) < settings.window:
            return scored
        numbers, firsts = numbered(shown)
        categories = shown[firsts]
        counts = np.bincount(numbers)
        excess = np.clip((counts / len(shown) - settings.max_share) / (1 - settings.max_share), 0.0, None)
        excess[categories == MISSING_KEY] = 0.0
        if not excess.any():
            return scored
        losses = np.zeros(len(scored))
        for category, lost in zip(categories[excess > 0], excess[excess > 0], strict=True):
            losses[scored.contents.category_keys == category] = lost
        return replace(
            scored, scores=scored.scores - settings.strength * deviation_of(scored.scores) * losses
        )
