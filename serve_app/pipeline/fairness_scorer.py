"""Exposure of categories and creators held to bounds over all requests (specification, section 10.3)."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from messages.arrays import IdArray
from serve_app.model_replica import ModelReplica
from serve_app.pipeline.candidate import ScoredCandidates
from serve_app.pipeline.category_worth import category_worth
from serve_app.pipeline.exposure_prices import ExposurePrices, looked_up
from serve_app.pipeline.ranking_request import RankingRequest
from serve_app.pipeline.score_spread import deviation_of

_NUM_DRAWN = 64
"""Contents drawn for each slate to see what the catalogue is made of: prices take the mean over slates."""


class FairnessSettings(BaseModel):
    """Bounds on shares of the exposure that this replica gives, on average over its requests.

    min_category_ratio: a category gets at least this much of what it deserves, no bound at 0. It deserves its
    share of the catalogue where it is taken as others are, and less in proportion where it is taken worse
    (exposure by merit: Singh and Joachims, KDD 2018), but no less than `least_worth` of that share.
    max_category_share, max_creator_share: 1 for no bound. max_price: how far a score may move, in deviations
    of the request's scores: bounds that would take more are missed. step: how far one slate moves a price,
    per share that a bound is broken by. max_groups: prices kept of each kind.

    The least share is what finds out that a category once disliked is liked by now: nobody would be asked. It
    is of the catalogue, not of the candidates: sources that have learned the dislike propose little of the
    category, and so would lower its bound themselves.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_category_ratio: float = Field(0.9, ge=0, le=1)
    least_worth: float = Field(0.2, ge=0, le=1)
    max_category_share: float = Field(0.6, gt=0, le=1)
    max_creator_share: float = Field(0.1, gt=0, le=1)
    max_price: float = Field(4.0, ge=0)
    step: float = Field(0.1, gt=0)
    max_groups: int = Field(1_024, ge=1)


class FairnessScorer:
    """score + deviation * (reward - price) of the content's category and creator.

    It scores by the prices as they are and, as an observer, moves them by every slate that is shown. Several
    replicas each hold their own exposure to the bounds, and so the sum of it.
    """

    name = "fairness"

    def __init__(self, settings: FairnessSettings, replica: ModelReplica) -> None:
        def prices(min_ratio: float, max_share: float) -> ExposurePrices:
            return ExposurePrices(
                min_ratio=min_ratio,
                max_share=max_share,
                step=settings.step,
                max_price=settings.max_price,
                max_groups=settings.max_groups,
            )

        self._replica = replica
        self._least_worth = settings.least_worth
        self._categories = prices(settings.min_category_ratio, settings.max_category_share)
        self._creators = prices(0.0, settings.max_creator_share)

    def score(self, _request: RankingRequest, scored: ScoredCandidates) -> ScoredCandidates:
        deviation = deviation_of(scored.scores)
        moves = self._categories.adjustments(scored.contents.category_keys)
        moves += self._creators.adjustments(scored.contents.creator_keys)
        return scored.with_scores(scored.scores + deviation * moves)

    def observe(self, request: RankingRequest, considered: ScoredCandidates, shown: ScoredCandidates) -> None:
        table = self._replica.state.contents
        rows = request.generator.integers(len(table), size=_NUM_DRAWN)
        drawn = table.category_keys[rows[table.live[rows]]]
        categories, worth = category_worth(
            considered.contents.category_keys, considered.counters, request.now
        )
        worth = np.minimum(np.maximum(worth, self._least_worth), 1.0)  # a fifth of the time of numpy's clip
        worth = looked_up(categories, worth, drawn, missing=1.0)
        self._categories.observe(drawn, shown.contents.category_keys, worth)
        nobody: IdArray = np.empty(0, dtype=np.uint64)
        self._creators.observe(nobody, shown.contents.creator_keys)
