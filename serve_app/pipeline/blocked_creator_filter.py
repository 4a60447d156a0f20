"""Nothing by creators whom the person blocked."""

from __future__ import annotations

from messages.arrays import BoolArray
from serve_app.pipeline.candidate import Candidates, outside
from serve_app.pipeline.ranking_request import RankingRequest


class BlockedCreatorFilter:
    """Removes the contents of creators one of whose contents the person reported."""

    name = "blocked_creator"

    def keep(self, request: RankingRequest, candidates: Candidates) -> BoolArray:
        return outside(candidates.creator_keys, request.state.blocked_creators)
