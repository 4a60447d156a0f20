"""Not the same category page after page."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from pydantic import BaseModel, ConfigDict, Field

from learners.key_sets import first_of_each
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
        losses = np.zeros(len(scored))
        if not _put_losses(
            contents.category_keys,
            rows,
            settings.window,
            settings.max_share,
            scored.contents.category_keys,
            losses,
        ):
            return scored
        return scored.with_scores(scored.scores - settings.strength * deviation_of(scored.scores) * losses)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _put_losses(
    category_keys: Any, rows: Any, window: Any, max_share: Any, categories: Any, losses: Any
) -> Any:
    """Write how far the share of each content's category is above the highest, as a part of what it could be;
    say whether any is. category_keys: by row. rows: of what was shown last, -1 for what has left."""
    shown = category_keys[rows[rows >= 0]]
    if 2 * len(shown) < window:
        return False
    numbers = np.empty(len(shown), dtype=np.int64)
    firsts = first_of_each(shown, numbers, 0)
    counts = np.zeros(len(firsts), dtype=np.int64)
    for number in numbers:
        counts[number] += 1
    exceeded = False
    for place in range(len(firsts)):
        category = shown[firsts[place]]
        excess = (counts[place] / len(shown) - max_share) / (1 - max_share)
        if excess > 0 and category != MISSING_KEY:
            exceeded = True
            for index in range(len(categories)):
                if categories[index] == category:
                    losses[index] = excess
    return exceeded
