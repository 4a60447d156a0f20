"""No content that the person hid or reported."""

from __future__ import annotations

import numpy as np

from messages.arrays import BoolArray
from serve_app.pipeline.candidate import Candidates
from serve_app.pipeline.ranking_request import RankingRequest


class HiddenContentFilter:
    """Removes contents hidden or reported, for as long as the person's state remembers them."""

    name = "hidden_content"

    def keep(self, request: RankingRequest, candidates: Candidates) -> BoolArray:
        hidden = np.array(sorted(request.state.hidden_contents), dtype=np.uint64)
        return ~np.isin(candidates.content_keys, hidden)
