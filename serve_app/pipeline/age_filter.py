"""Nothing that is too old, and nothing for which the person is too young."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict, Field

from messages.arrays import BoolArray
from serve_app.model_replica import ModelReplica
from serve_app.pipeline.candidate import Candidates
from serve_app.pipeline.ranking_request import RankingRequest

_DAY = 86_400.0


class AgeSettings(BaseModel):
    """max_days: since a content's upload; None for contents of any age."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_days: float | None = Field(None, gt=0)


class AgeFilter:
    """Removes contents uploaded too long ago, and those whose `min_age` the person may not have reached.

    How old somebody is, their age group tells by its lower end (`25-34`, `65+`); without one they count as 0.
    """

    name = "age"

    def __init__(self, settings: AgeSettings, replica: ModelReplica) -> None:
        self._max_days = settings.max_days
        self._replica = replica

    def keep(self, request: RankingRequest, candidates: Candidates) -> BoolArray:
        contents = self._replica.state.contents
        kept: BoolArray = contents.min_ages[candidates.rows] <= years_of(request)
        if self._max_days is not None:
            kept &= request.now - contents.upload_times[candidates.rows] <= self._max_days * _DAY
        return kept


def years_of(request: RankingRequest) -> int:
    """Return how old the person is at least."""
    found = re.match(r"\d+", str((request.traits or {}).get("age_group") or ""))
    return int(found[0]) if found else 0
