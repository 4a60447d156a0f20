"""Contents whose vectors lie nearest to the person's: the learned part of retrieval."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from serve_app.model_replica import ModelReplica
from serve_app.pipeline.candidate import Proposal
from serve_app.pipeline.ranking_request import RankingRequest
from serve_app.pipeline.served_model import ServedModel


class TwoTowerSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    num_candidates: int = Field(300, ge=0)


class TwoTowerSource:
    """Searches the index with the user tower's vector (Yi et al., RecSys 2019); exact, best first."""

    name = "two_tower"

    def __init__(self, settings: TwoTowerSettings, replica: ModelReplica, model: ServedModel) -> None:
        self._num_candidates = settings.num_candidates
        self._replica = replica
        self._model = model

    def propose(self, request: RankingRequest) -> Proposal:
        query = self._model.query(request)[np.newaxis]
        rows, products = self._replica.state.index.search(query, self._num_candidates, request.excluded)
        found = rows[0] >= 0
        return Proposal.of(rows[0][found], products[0][found])
