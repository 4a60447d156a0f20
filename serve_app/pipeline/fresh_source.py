"""New contents that have not been shown enough to be judged: how a new content gets its first watchers."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from messages.updates import COUNTER_TOTAL_INDEX
from serve_app.model_replica import ModelReplica
from serve_app.pipeline.candidate import Proposal
from serve_app.pipeline.ranking_request import RankingRequest

_TERMINALS = np.array([COUNTER_TOTAL_INDEX[name] for name in ("views", "completes", "skips")])


class FreshSettings(BaseModel):
    """watch_budget: a content is proposed until it was watched or skipped this often."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    num_candidates: int = Field(120, ge=0)
    watch_budget: int = Field(50, ge=1)


class FreshSource:
    """Draws among the newest uploads whose exploration budget is not spent, the newest ones first.

    Drawn and not just the newest, so that a burst of uploads shares the watchers.
    """

    name = "fresh"

    def __init__(self, settings: FreshSettings, replica: ModelReplica) -> None:
        self._settings = settings
        self._replica = replica

    def propose(self, request: RankingRequest) -> Proposal:
        state = self._replica.state
        rows = request.unseen(state.fresh.top(4 * self._settings.num_candidates))
        watched = state.counters.sums(state.contents.content_keys[rows], _TERMINALS)
        rows = rows[watched < self._settings.watch_budget]
        if len(rows) > self._settings.num_candidates:
            drawn = request.generator.choice(len(rows), self._settings.num_candidates, replace=False)
            rows = rows[np.sort(drawn)]
        return Proposal.of(rows)
