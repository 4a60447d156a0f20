"""What the person will do with each content, as the model predicts it."""

from __future__ import annotations

from dataclasses import replace

from serve_app.pipeline.candidate import ScoredCandidates
from serve_app.pipeline.ranking_request import RankingRequest
from serve_app.pipeline.served_model import ServedModel


class ModelScorer:
    """Sets the probability of every head."""

    name = "model_heads"

    def __init__(self, model: ServedModel) -> None:
        self._model = model

    def score(self, request: RankingRequest, scored: ScoredCandidates) -> ScoredCandidates:
        return replace(scored, probabilities=self._model.probabilities(request, scored.features))
