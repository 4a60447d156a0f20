"""Contents that many people engage with at the moment."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from serve_app.model_replica import ModelReplica
from serve_app.pipeline.candidate import Proposal
from serve_app.pipeline.ranking_request import RankingRequest


class TrendingSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    num_candidates: int = Field(60, ge=0)


class TrendingSource:
    """Takes the contents with the highest decayed engagement (half-life of an hour)."""

    name = "trending"

    def __init__(self, settings: TrendingSettings, replica: ModelReplica) -> None:
        self._num_candidates = settings.num_candidates
        self._replica = replica

    def propose(self, request: RankingRequest) -> Proposal:
        trending = self._replica.state.trending
        rows = trending.top(self._num_candidates + len(request.excluded))
        return Proposal.of(request.unseen(rows)[: self._num_candidates])
