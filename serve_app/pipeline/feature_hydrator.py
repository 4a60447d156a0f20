"""From row numbers to facts and features."""

from __future__ import annotations

import numpy as np

from messages.examples import OUTPUTS
from serve_app.model_replica import ModelReplica
from serve_app.pipeline.candidate import Candidates, ScoredCandidates
from serve_app.pipeline.ranking_request import RankingRequest
from serve_app.pipeline.served_model import ServedModel


class FeatureHydrator:
    """Reads facts and counters from the replica and computes the features that are scored and logged."""

    name = "features"

    def __init__(self, replica: ModelReplica, model: ServedModel) -> None:
        self._replica = replica
        self._model = model

    def hydrate(self, request: RankingRequest, candidates: Candidates) -> ScoredCandidates:
        contents = self._replica.unnamed_contents(candidates.rows)
        counters = self._replica.counters_of(contents.content_keys)
        return ScoredCandidates(
            candidates,
            contents,
            counters,
            self._model.features(request, contents, counters),
            probabilities=np.full((len(candidates), len(OUTPUTS)), np.nan, dtype=np.float32),
            scores=np.full(len(candidates), np.nan),
        )
