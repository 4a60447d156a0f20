"""One place for a content that several sources proposed."""

from __future__ import annotations

import numpy as np

from messages.arrays import BoolArray
from serve_app.pipeline.candidate import Candidates
from serve_app.pipeline.ranking_request import RankingRequest


class DuplicateFilter:
    """Keeps the proposal of the source that stands first in the pipeline."""

    name = "duplicate"

    def keep(self, _request: RankingRequest, candidates: Candidates) -> BoolArray:
        _, first = np.unique(candidates.rows, return_index=True)
        kept = np.zeros(len(candidates), dtype=np.bool_)
        kept[first] = True
        return kept
