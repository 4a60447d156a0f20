"""What a demo tells while it runs and at its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from simulations.demo_measurements import EngagementSeries

DemoPhase: TypeAlias = Literal["uploading", "running", "draining"]


@dataclass(frozen=True, slots=True)
class DemoProgress:
    """For a live view. elapsed, duration: seconds of the run, duration None for one without an end.

    engagement: share of impressions viewed in the last seconds, by arm. history: the same over the whole run.
    freshness_*: NaN before anything was measured. num_failures: requests that the API refused.
    """

    phase: DemoPhase
    elapsed: float
    duration: float | None
    contents: int
    visits: int
    events: int
    events_per_s: float
    people_active: int
    engagement: Mapping[str, float]
    history: Mapping[str, EngagementSeries]
    freshness_p50_ms: float
    freshness_p95_ms: float
    model_version: str
    num_failures: int


@dataclass(frozen=True, slots=True)
class DemoSummary:
    """At the end. engagement_*: share of impressions viewed in the second half of the run.

    uplift: ratio of online to random, popular and frozen, 1.5 for half as much again; to frozen among the
    people who have a frozen copy. engagement_online_first: of the first tenth, before much was learned.
    examples: events that the serving model had learned at the end.
    """

    engagement_online: float
    engagement_random: float
    engagement_popular: float
    engagement_frozen: float
    uplift: float
    uplift_popular: float
    uplift_frozen: float
    engagement_online_first: float
    freshness_p50_ms: float
    freshness_p95_ms: float
    freshness_measured: int
    events: int
    examples: int
    impressions: int
    failures: int
    seconds: float
    model_version: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
