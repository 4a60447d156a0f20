"""Counts what happens in a demo, and says it as progress and as summary."""

from __future__ import annotations

import numpy as np

from simulations.demo_measurements import EngagementTracker, LearnedLedger
from simulations.demo_results import DemoPhase, DemoProgress, DemoSummary
from simulations.freshness_probe import FreshnessProbe

ONLINE = "online"
ONLINE_BESIDE_FROZEN = "online beside frozen"
"""The online feed among the people who have a frozen copy too."""

_RECENT_SECONDS = 5.0


class DemoRecord:
    """Times are seconds since people began to scroll."""

    def __init__(self, probe: FreshnessProbe, num_people: int) -> None:
        self.engagement = EngagementTracker()
        self.ledger = LearnedLedger()
        self.visits_of = np.zeros(num_people, dtype=np.int64)
        self.num_contents = 0
        self.num_failures = 0
        self.model_version = ""
        self._probe = probe
        self._last = (0.0, 0)

    @property
    def all_failures(self) -> int:
        return self.num_failures + self._probe.num_failures

    def progress(self, phase: DemoPhase, elapsed: float, duration: float | None) -> DemoProgress:
        """Say where the demo is; rates are since the call before."""
        before, num_before = self._last
        self._last = (elapsed, self.ledger.num_events)
        span = elapsed - before
        return DemoProgress(
            phase=phase,
            elapsed=elapsed,
            duration=duration,
            contents=self.num_contents,
            visits=int(self.visits_of.sum()),
            events=self.ledger.num_events,
            events_per_s=(self.ledger.num_events - num_before) / span if span > 0 else 0.0,
            people_active=int((self.visits_of > 0).sum()),
            engagement={
                arm: self.engagement.engagement(arm, since=max(0.0, elapsed - _RECENT_SECONDS))
                for arm in self.engagement.arms
            },
            history={arm: self.engagement.series(arm) for arm in self.engagement.arms},
            freshness_p50_ms=self._probe.quantile(0.5),
            freshness_p95_ms=self._probe.quantile(0.95),
            model_version=self.model_version,
            num_failures=self.all_failures,
        )

    def summary(self, seconds: float) -> DemoSummary:
        """Compare the arms over the second half of a run of `seconds`."""
        shares = {
            arm: self.engagement.engagement(arm, since=seconds / 2)
            for arm in (ONLINE, "random", "popular", "frozen", ONLINE_BESIDE_FROZEN)
        }
        return DemoSummary(
            engagement_online=shares[ONLINE],
            engagement_random=shares["random"],
            engagement_popular=shares["popular"],
            engagement_frozen=shares["frozen"],
            uplift=_uplift(shares[ONLINE], shares["random"]),
            uplift_popular=_uplift(shares[ONLINE], shares["popular"]),
            uplift_frozen=_uplift(shares[ONLINE_BESIDE_FROZEN], shares["frozen"]),
            engagement_online_first=self.engagement.engagement(ONLINE, until=max(seconds / 10, 1.0)),
            freshness_p50_ms=self._probe.quantile(0.5),
            freshness_p95_ms=self._probe.quantile(0.95),
            freshness_measured=self._probe.num_measured,
            events=self.ledger.num_events,
            examples=self.ledger.num_learned,
            impressions=self.engagement.num_shown(ONLINE),
            failures=self.all_failures,
            seconds=seconds,
            model_version=self.model_version,
        )


def _uplift(share: float, base: float) -> float:
    return share / base if base > 0 else float("nan")
