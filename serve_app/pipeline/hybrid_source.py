"""Content-based and collaborative proposals in one order (specification, section 4.2, hybrid approach)."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from learners.key_sets import numbered
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
        both = np.concatenate([alike.rows, liked.rows])
        numbers, firsts = numbered(both)
        rows = both[firsts]
        scores = np.bincount(
            numbers,
            weights=np.concatenate([alpha * alike.scores, (1 - alpha) * liked.scores]),
            minlength=len(rows),
        ).astype(np.float32)
        anchors = np.zeros(len(rows), dtype=np.uint64)
        anchors[: len(alike)] = alike.anchors  # its rows come first, each once
        best = np.argsort(-scores, kind="stable")[: self._settings.num_candidates]
        return Proposal.of(rows[best], scores[best], anchors[best])
