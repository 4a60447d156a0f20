"""No content twice in a person's feeds."""

from __future__ import annotations

from messages.arrays import BoolArray
from serve_app.pipeline.candidate import Candidates, outside
from serve_app.pipeline.ranking_request import RankingRequest


class PreviouslyServedFilter:
    """Removes what an earlier answer held, watched or not."""

    name = "previously_served"

    def keep(self, request: RankingRequest, candidates: Candidates) -> BoolArray:
        return outside(candidates.content_keys, request.served)
