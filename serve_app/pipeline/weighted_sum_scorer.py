"""One score out of the heads: what each kind of answer of a person is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from messages.examples import HEADS
from serve_app.pipeline.candidate import ScoredCandidates
from serve_app.pipeline.ranking_request import RankingRequest


class WeightedSumSettings(BaseModel):
    """head_weights: the one table of weights; a head that is left out counts nothing.

    The defaults put watching first, which is what the feed is for, and make rare strong signs worth about as
    much as they are rare; a negative sign outweighs any of them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    head_weights: dict[str, float] = Field(
        default={
            "engage": 1.0,
            "long_view": 1.0,
            "complete": 0.5,
            "like": 1.0,
            "comment": 1.0,
            "share": 2.0,
            "follow": 2.0,
            "save": 1.0,
            "negative": -8.0,
        }
    )

    @field_validator("head_weights")
    @classmethod
    def _names_heads(cls, weights: Mapping[str, float]) -> Mapping[str, float]:
        unknown = sorted(set(weights) - set(HEADS))
        if unknown:
            raise ValueError(f"no such heads: {', '.join(unknown)}; there are {', '.join(HEADS)}")
        return weights


class WeightedSumScorer:
    """score = sum over heads of weight * probability; NaN where any head that counts is NaN."""

    name = "weighted_sum"

    def __init__(self, settings: WeightedSumSettings) -> None:
        counting = {head: weight for head, weight in settings.head_weights.items() if weight}
        self._columns = np.array([HEADS.index(head) for head in counting], dtype=np.int64)
        self._weights = np.array(list(counting.values()), dtype=np.float64)

    def score(self, _request: RankingRequest, scored: ScoredCandidates) -> ScoredCandidates:
        return replace(scored, scores=scored.probabilities[:, self._columns] @ self._weights)
