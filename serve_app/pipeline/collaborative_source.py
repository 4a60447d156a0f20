"""What people of a like taste liked: user-based collaborative filtering (specification, section 4.2)."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from serve_app.model_replica import ModelReplica
from serve_app.pipeline.candidate import Proposal, ScoredCandidates
from serve_app.pipeline.neighbour_table import LIKED, NeighbourSettings, NeighbourTable
from serve_app.pipeline.ranking_request import RankingRequest
from serve_app.pipeline.top_score_selector import by_falling_score


class CollaborativeSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    num_candidates: int = Field(100, ge=0)
    neighbours: NeighbourSettings = NeighbourSettings()


class CollaborativeSource:
    """Proposes what the person's neighbours rate above their mean, by the predicted rating.

    The score is the rating as a share of the highest, about 0 to 1. No anchor: neighbours are never named.
    """

    name = "collaborative"

    def __init__(self, settings: CollaborativeSettings, replica: ModelReplica, table: NeighbourTable) -> None:
        self._num_candidates = settings.num_candidates
        self._replica = replica
        self._table = table

    def propose(self, request: RankingRequest) -> Proposal:
        predictions = self._table.predict(request.state)
        rows = self._replica.state.contents.find(predictions.keys)
        wanted = np.flatnonzero((rows >= 0) & ~request.has_seen(rows))
        best = by_falling_score(predictions.ratings[wanted])
        chosen = wanted[best[: self._num_candidates]]
        return Proposal.of(rows[chosen], predictions.ratings[chosen] / LIKED)


class NeighbourObserver:
    """Lets the table follow: everybody who was served is a neighbour of somebody from then on."""

    def __init__(self, table: NeighbourTable) -> None:
        self._table = table

    def observe(
        self, request: RankingRequest, _considered: ScoredCandidates, _shown: ScoredCandidates
    ) -> None:
        self._table.observe(request.state)
