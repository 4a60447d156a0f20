"""Content-based and collaborative proposals in one order (specification, section 4.2, hybrid approach)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from pydantic import BaseModel, ConfigDict, Field

from learners.key_sets import first_of_each
from serve_app.pipeline.candidate import Proposal
from serve_app.pipeline.ranking_request import RankingRequest
from serve_app.pipeline.stages import Source


class HybridSettings(BaseModel):
    """alpha: 1 takes content-based proposals alone, 0 collaborative ones alone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    alpha: float = Field(0.5, ge=0, le=1)
    num_candidates: int = Field(160, ge=0)


class HybridSource:
    """score = alpha * content_score + (1 - alpha) * collab_score; a side that does not propose it gives 0.

    Both sides score about 0 to 1 (a cosine, a share of the highest rating), so what both propose comes first
    (CombSUM: Fox and Shaw, TREC-2, 1994). Anchors are the content-based side's.
    """

    name = "hybrid"

    def __init__(self, settings: HybridSettings, content_based: Source, collaborative: Source) -> None:
        self._settings = settings
        self._content_based = content_based
        self._collaborative = collaborative

    def propose(self, request: RankingRequest) -> Proposal:
        alpha = self._settings.alpha
        alike = self._content_based.propose(request)
        liked = self._collaborative.propose(request)
        rows, scores, anchors = _blend(
            (alike.rows, alike.scores, alike.anchors), (liked.rows, liked.scores), alpha
        )
        best = np.argsort(-scores, kind="stable")[: self._settings.num_candidates]
        return Proposal.of(rows[best], scores[best], anchors[best])


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _blend(alike: Any, liked: Any, alpha: Any) -> Any:
    """Return rows, scores and anchors of what either side proposes, those of the content-based side first.

    alike, liked: rows, scores, and anchors of the first; each side names a row once.
    """
    (rows, scores, anchors), (more_rows, more_scores) = alike, liked
    both = np.concatenate((rows, more_rows))
    numbers = np.empty(len(both), dtype=np.int64)
    firsts = first_of_each(both.view(np.uint64), numbers, 0)
    blended, because = np.zeros(len(firsts)), np.zeros(len(firsts), dtype=np.uint64)
    because[: len(rows)] = anchors
    for place in range(len(rows)):
        blended[place] = alpha * np.float64(scores[place])
    for place in range(len(more_rows)):
        blended[numbers[len(rows) + place]] += (1 - alpha) * np.float64(more_scores[place])
    return both[firsts], blended.astype(np.float32), because
