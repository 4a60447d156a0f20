"""Contents like those that the person liked: item to item, by the same retrieval rows."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from learners.key_sets import numbered
from messages.arrays import FloatArray, IntArray
from serve_app.model_replica import ModelReplica
from serve_app.pipeline.candidate import Proposal
from serve_app.pipeline.ranking_request import RankingRequest


class SimilarToLikedSettings(BaseModel):
    """num_anchors: liked contents drawn for a request; each costs one search of the index. min_similarity:
    the threshold; only what is more alike than that is proposed, by the cosine, in [-1, 1)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    num_candidates: int = Field(100, ge=0)
    num_anchors: int = Field(2, ge=1)
    min_similarity: float = Field(0.1, ge=-1, lt=1)


class SimilarToLikedSource:
    """Draws a few of the recently liked contents for each request and proposes what is more alike than a
    threshold (specification, section 4.2), the most alike first.

    A few drawn anchors in place of one mean: tastes are several, and their mean may lie near none of them
    (PinnerSage, arXiv 2007.03634, samples three of a person's clusters). Without a like, the contents that
    were engaged with last stand in.
    """

    name = "similar_to_liked"

    def __init__(self, settings: SimilarToLikedSettings, replica: ModelReplica) -> None:
        self._settings = settings
        self._replica = replica

    def propose(self, request: RankingRequest) -> Proposal:
        state = self._replica.state
        liked = request.state.liked
        if not len(liked):
            liked = request.state.history[request.state.history_engaged]
        anchors: IntArray = state.contents.find(liked)
        anchors = anchors[anchors >= 0]
        if not len(anchors) or not self._settings.num_candidates:
            return Proposal.of(np.empty(0, dtype=np.int64))
        if len(anchors) > self._settings.num_anchors:
            anchors = request.generator.choice(anchors, self._settings.num_anchors, replace=False)
        queries = state.index.vectors(anchors)
        queries[:, -1] = 0.0  # the bias says how much everybody likes it, nothing about likeness
        # Twice as many as wanted: the search prefers long vectors, likeness is the angle alone.
        count = 2 * -(-self._settings.num_candidates // len(anchors))
        rows, products = state.index.search_alike(queries, count, np.concatenate([request.excluded, anchors]))
        because = np.repeat(state.contents.content_keys[anchors], count)
        rows, products = rows.ravel(), products.ravel()
        found = rows >= 0
        lengths = _lengths(state.index.vectors(np.where(found, rows, anchors[0]))[:, :-1])
        own = np.repeat(_lengths(queries), count)
        cosines = np.where(found, products, 0.0) / np.maximum(lengths * own, 1e-12)
        alike = np.flatnonzero(found & (cosines > self._settings.min_similarity))
        best_first = alike[np.argsort(-cosines[alike], kind="stable")]
        _, once = numbered(rows[best_first])
        chosen = best_first[once][: self._settings.num_candidates]
        return Proposal.of(rows[chosen], cosines[chosen], because[chosen])


def _lengths(vectors: FloatArray) -> FloatArray:
    """Return the length of each vector, float32 [n]. vectors: [n, d]."""
    lengths: FloatArray = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))
    return lengths
