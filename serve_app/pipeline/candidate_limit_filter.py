"""No more candidates than the model can score in the time of a request."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
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
        first = np.argsort(_shares(candidates.source_codes), kind="stable")[: self._max_candidates]
        kept[first] = True
        return kept


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _shares(source_codes: Any) -> Any:
    """Return the place of each candidate within its source, as a share of how many that proposed, float64
    [n]. Candidates of a source stand together, best first."""
    counts = np.bincount(source_codes)
    shares = np.empty(len(source_codes))
    place = 0
    for index in range(len(source_codes)):
        starts = index == 0 or source_codes[index] != source_codes[index - 1]
        place = 0 if starts else place + 1
        shares[index] = place / counts[source_codes[index]]
    return shares
