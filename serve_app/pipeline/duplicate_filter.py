"""One place for a content that several sources proposed."""

from __future__ import annotations

import numpy as np

from learners.key_sets import numbered
from messages.arrays import BoolArray
from serve_app.pipeline.candidate import Candidates
from serve_app.pipeline.ranking_request import RankingRequest


class DuplicateFilter:
    """Keeps the proposal of the source that stands first in the pipeline."""

    name = "duplicate"

    def keep(self, _request: RankingRequest, candidates: Candidates) -> BoolArray:
        kept = np.zeros(len(candidates), dtype=np.bool_)
        _, once = numbered(candidates.rows)
        kept[once] = True
        return kept
