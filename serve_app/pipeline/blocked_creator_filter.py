"""Nothing by creators whom the person blocked."""

from __future__ import annotations

import numpy as np

from messages.arrays import BoolArray
from serve_app.pipeline.candidate import Candidates
from serve_app.pipeline.ranking_request import RankingRequest


class BlockedCreatorFilter:
    """Removes the contents of creators one of whose contents the person reported."""

    name = "blocked_creator"

    def keep(self, request: RankingRequest, candidates: Candidates) -> BoolArray:
        blocked = np.array(sorted(request.state.blocked_creators), dtype=np.uint64)
        return ~np.isin(candidates.creator_keys, blocked)
