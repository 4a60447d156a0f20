"""Contents drawn from the whole catalogue: what there is when nothing is known, of person or of contents."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from learners.key_sets import numbered
from serve_app.model_replica import ModelReplica
from serve_app.pipeline.candidate import Proposal
from serve_app.pipeline.ranking_request import RankingRequest


class CatalogueSampleSettings(BaseModel):
    """num_candidates: drawn for everybody, so that every content keeps a chance. num_cold_candidates: drawn
    for a person of whom no history is known."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    num_candidates: int = Field(40, ge=0)
    num_cold_candidates: int = Field(200, ge=0)


class CatalogueSampleSource:
    """Draws live contents uniformly, without those already seen."""

    name = "catalogue_sample"

    def __init__(self, settings: CatalogueSampleSettings, replica: ModelReplica) -> None:
        self._settings = settings
        self._replica = replica

    def propose(self, request: RankingRequest) -> Proposal:
        settings = self._settings
        count = settings.num_candidates if len(request.state.history) else settings.num_cold_candidates
        contents = self._replica.state.contents
        live = contents.live
        if len(contents) > 4 * (count + len(request.excluded)) and 2 * len(contents) > len(live):
            # Far more contents than wanted: draw row numbers and drop the few that do not count.
            drawn = request.generator.integers(len(live), size=2 * count + 8)
            _, once = numbered(drawn)
            drawn = drawn[once]
            drawn = drawn[live[drawn]]
            return Proposal.of(request.unseen(drawn)[:count])
        rows = np.setdiff1d(np.flatnonzero(live), request.excluded, assume_unique=True)
        return Proposal.of(request.generator.permutation(rows)[:count])
