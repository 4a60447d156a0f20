"""Candidates with scores that a test gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from serve_app.model_replica import ModelReplica
from serve_app.pipeline.candidate import Candidates, Proposal, ScoredCandidates
from serve_app.pipeline.feature_hydrator import FeatureHydrator
from tests.fakes import KnownModel, ranking_request


def candidates_of(replica: ModelReplica, scores: Sequence[float]) -> ScoredCandidates:
    """Return the first contents of the table, one for each score."""
    table = replica.state.contents
    candidates = Candidates.of([Proposal.of(np.arange(len(scores)))], table.content_keys, table.creator_keys)
    scored = FeatureHydrator(replica, KnownModel()).hydrate(ranking_request(replica), candidates)
    return replace(scored, scores=np.array(scores, dtype=np.float64))
