"""Contents like those that the person liked: item to item, by the same retrieval rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from pydantic import BaseModel, ConfigDict, Field

from learners.key_sets import numbered
from messages.arrays import IntArray
from serve_app.model_replica import ModelReplica
from serve_app.pipeline.candidate import NO_PROPOSAL, Proposal
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
            return NO_PROPOSAL
        if len(anchors) > self._settings.num_anchors:
            anchors = request.generator.choice(anchors, self._settings.num_anchors, replace=False)
        queries = state.index.vectors(anchors)
        queries[:, -1] = 0.0  # the bias says how much everybody likes it, nothing about likeness
        # Twice as many as wanted: the search prefers long vectors, likeness is the angle alone.
        count = 2 * -(-self._settings.num_candidates // len(anchors))
        rows, products = state.index.search_alike(queries, count, np.concatenate([request.excluded, anchors]))
        because = np.repeat(state.contents.content_keys[anchors], count)
        rows, products = rows.ravel(), products.ravel()
        cosines = np.empty(len(rows), dtype=np.float32)
        # Where nothing was found the row is -1, which reads some vector or other.
        _put_cosines(rows, products, state.index.vectors(rows), queries, cosines)
        best_first = np.argsort(-cosines, kind="stable")
        best_first = best_first[: int(np.count_nonzero(cosines > self._settings.min_similarity))]
        _, once = numbered(rows[best_first])
        chosen = best_first[once[: self._settings.num_candidates]]
        return Proposal.of(rows[chosen], cosines[chosen], because[chosen])


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _put_cosines(rows: Any, products: Any, vectors: Any, queries: Any, cosines: Any) -> None:
    """Write the cosine of each vector, its bias left out, and the query it was found by; -1 where none was.

    rows, products: [q * c], those found by one query behind each other. vectors: float32 [q * c, d + 1].
    queries: float32 [q, d + 1], their biases 0.
    """
    count = len(rows) // len(queries)
    for query in range(len(queries)):
        own = _length(queries[query])
        for place in range(query * count, (query + 1) * count):
            lengths = own * _length(vectors[place])
            cosine = products[place] / max(lengths, np.float32(1e-12))
            cosines[place] = cosine if rows[place] >= 0 else np.float32(-1)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _length(vector: Any) -> Any:
    """Return the length of a vector without its last number."""
    squares = np.float32(0)
    for axis in range(len(vector) - 1):
        squares += vector[axis] * vector[axis]
    return np.sqrt(squares)
