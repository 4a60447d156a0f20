"""One score out of all signals: what each kind of answer of a person is worth."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, field_validator

from messages.arrays import DoubleArray
from serve_app.pipeline.candidate import ScoredCandidates
from serve_app.pipeline.ranking_request import RankingRequest
from serve_app.pipeline.signal_weights import SignalWeights, checked_weights


class WeightedSumSettings(BaseModel):
    """head_weights: the table of weights (heads and rates, see `SIGNALS`) that holds until somebody changes
    it over HTTP; a signal that is left out counts nothing.

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
    def _names_signals(cls, weights: Mapping[str, float]) -> Mapping[str, float]:
        return checked_weights(weights)


class WeightedSumScorer:
    """score = sum over signals of weight * value; NaN where any head that counts is NaN.

    weights: the live table, whoever changes it; without one the settings' own.
    """

    name = "weighted_sum"

    def __init__(self, settings: WeightedSumSettings, weights: SignalWeights | None = None) -> None:
        self._weights = weights or SignalWeights(settings.head_weights)

    def score(self, _request: RankingRequest, scored: ScoredCandidates) -> ScoredCandidates:
        return scored.with_scores(self._weights.score(scored))

    def signals(self, scored: ScoredCandidates) -> dict[str, DoubleArray]:
        """Return signal -> weight * value, float64 [n], of those that count; their sum is the score."""
        table = self._weights.table
        return {name: SignalWeights({name: weight}).score(scored) for name, weight in table.items() if weight}
