"""Nothing by creators of whom the person wants no more."""

from __future__ import annotations

from messages.arrays import BoolArray
from serve_app.pipeline.candidate import Candidates, outside
from serve_app.pipeline.ranking_request import RankingRequest


class BlockedCreatorFilter:
    """Removes the contents of creators whom the person unfollowed, or one of whose contents they reported,
    until they follow them again."""

    name = "blocked_creator"

    def keep(self, request: RankingRequest, candidates: Candidates) -> BoolArray:
        return outside(candidates.creator_keys, request.state.blocked_creators)
