"""No more candidates than the model can score in the time of a request."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from messages.arrays import BoolArray
from serve_app.pipeline.candidate import Candidates
from serve_app.pipeline.ranking_request import RankingRequest


class CandidateLimitSettings(BaseModel):
    """max_candidates: what is scored at most, 8 us each or so."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_candidates: int = Field(500, ge=1)


class CandidateLimitFilter:
    """Keeps each source's best in proportion to what it proposed, so that no source is cut off whole."""

    name = "candidate_limit"

    def __init__(self, settings: CandidateLimitSettings) -> None:
        self._max_candidates = settings.max_candidates

    def keep(self, _request: RankingRequest, candidates: Candidates) -> BoolArray:
        kept = np.zeros(len(candidates), dtype=np.bool_)
        if len(candidates) <= self._max_candidates:
            return ~kept
        # Candidates of a source stand together, best first: the place within it, as a share of its number.
        counts = np.bincount(candidates.source_codes)
        starts = np.cumsum(counts) - counts
        codes = candidates.source_codes
        place = (np.arange(len(candidates)) - starts[codes]) / counts[codes]
        kept[np.argsort(place, kind="stable")[: self._max_candidates]] = True
        return kept
