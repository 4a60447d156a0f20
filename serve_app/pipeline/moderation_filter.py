"""Only what a review has approved (specification, section 10.2)."""

from __future__ import annotations

from messages.arrays import BoolArray
from serve_app.model_replica import ModelReplica
from serve_app.pipeline.candidate import Candidates
from serve_app.pipeline.ranking_request import RankingRequest


class ModerationFilter:
    """Removes contents that wait for a review or were rejected by one."""

    name = "moderation"

    def __init__(self, replica: ModelReplica) -> None:
        self._replica = replica

    def keep(self, _request: RankingRequest, candidates: Candidates) -> BoolArray:
        return self._replica.state.contents.approved[candidates.rows]
