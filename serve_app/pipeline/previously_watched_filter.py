"""No content that the person has watched or skipped, wherever it was shown to them."""

from __future__ import annotations

from messages.arrays import BoolArray
from serve_app.pipeline.candidate import Candidates, outside
from serve_app.pipeline.ranking_request import RankingRequest


class PreviouslyWatchedFilter:
    """Removes what stands in the history that the joiner keeps."""

    name = "previously_watched"

    def keep(self, request: RankingRequest, candidates: Candidates) -> BoolArray:
        return outside(candidates.content_keys, request.state.history)
