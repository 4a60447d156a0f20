"""No content that the person hid or reported."""

from __future__ import annotations

from messages.arrays import BoolArray
from serve_app.pipeline.candidate import Candidates, outside
from serve_app.pipeline.ranking_request import RankingRequest


class HiddenContentFilter:
    """Removes contents hidden or reported, for as long as the person's state remembers them."""

    name = "hidden_content"

    def keep(self, request: RankingRequest, candidates: Candidates) -> BoolArray:
        return outside(candidates.content_keys, request.state.hidden_contents)
