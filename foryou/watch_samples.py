"""What a watch reads of a running system, and the rules by which it compares that with before.

Counters are the whole system's (joiner, learner, models actor), whichever replica tells them; a part that has
restarted counts from there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from monitoring.alert_rules import AlertRule

_JOINED_COUNTS = ("examples", "joined", "dead_letters")
_RATES = ("click_through_rate", "completion_rate", "long_view_rate", "negative_rate")
_WINDOW_SECONDS = 60.0


class Limit(BaseModel):
    """How much worse than before a figure may be: by a share of it, and by an amount at least.

    always: a bound that holds whatever was before.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: str
    above: bool = True
    share: float = 0.0
    amount: float = 0.0
    always: float | None = None


LIMITS: tuple[Limit, ...] = (
    Limit(metric="unanswered", always=0.01),
    Limit(metric="workers_down", always=0.0),
    Limit(metric="model_age_seconds", always=10.0),
    Limit(metric="health_ms", share=1.0, amount=50.0),
    Limit(metric="error_rate", amount=0.01, always=0.05),
    Limit(metric="latency_p95_ms", share=0.5, amount=20.0),
    Limit(metric="progressive_loss", share=0.2),
    Limit(metric="engage_auc", above=False, amount=0.02),
    Limit(metric="join_rate", above=False, share=0.2),
    Limit(metric="dead_letter_rate", amount=0.01, always=0.2),
    *(Limit(metric=name, above=name == "negative_rate", share=0.15, amount=0.01) for name in _RATES),
)
"""unanswered, error_rate: of requests. health_ms: of one question for health. join_rate, dead_letter_rate: of
events. The others are those of `monitoring.kpi_report` and `monitoring.model_watch`."""


def rules_against(before: Mapping[str, float], window_seconds: float = _WINDOW_SECONDS) -> list[AlertRule]:
    """Return the rules of a watch: by what was before, where that is known, and by what holds always."""
    rules = []
    for limit in LIMITS:
        was = before.get(limit.metric, math.nan)
        sign = 1.0 if limit.above else -1.0
        bounds = [] if math.isnan(was) else [was + sign * max(limit.share * abs(was), limit.amount)]
        if limit.share == limit.amount == 0:
            bounds = []
        if limit.always is not None:
            bounds.append(limit.always)
        if not bounds:
            continue
        rules.append(
            AlertRule(
                name=limit.metric,
                metric=limit.metric,
                window_seconds=window_seconds,
                above=limit.above,
                threshold=max(bounds) if limit.above else min(bounds),
                severity="page",
            )
        )
    return rules


class StatusReadings:
    """Turns statuses that follow one another into figures of the time between."""

    def __init__(self) -> None:
        self._counts: dict[str, float] = {}

    def read(self, status: Mapping[str, Any]) -> dict[str, float]:
        """Return what one `/v1/status` says. Figures of which nothing is known yet, or nothing came, are left
        out."""
        workers: Mapping[str, Any] = status["workers"]
        figures: dict[str, float] = {
            "workers_down": float(sum(not worker["running"] for worker in workers.values())),
            "model_age_seconds": _number(status["model"]["age_seconds"]),
        }
        joiners = [worker for role, worker in workers.items() if role.partition("+")[0] == "joiner"]
        joined = self._since_last(
            "joiner",
            {name: sum(_number(joiner.get(name)) for joiner in joiners) for name in _JOINED_COUNTS},
        )
        if joined.get("examples"):
            figures["join_rate"] = joined["joined"] / joined["examples"]
            figures["dead_letter_rate"] = joined["dead_letters"] / (
                joined["examples"] + joined["dead_letters"]
            )
        learner = workers.get("learner", {})
        engage = learner.get("validation", {}).get("all", {}).get("engage", {})
        figures["engage_auc"] = _number(engage.get("auc"))
        kpis = workers.get("models", {}).get("kpis", {})
        figures |= self._kpi_rates(kpis.get("segments", {}).get("all", {}))
        for watched in kpis.get("models", {}).values():
            for name in ("progressive_loss", "error_rate", "latency_p95_ms"):
                figures[name] = _worse(figures.get(name, math.nan), _number(watched.get(name)))
        return {name: value for name, value in figures.items() if not math.isnan(value)}

    def _kpi_rates(self, today: Mapping[str, Any]) -> dict[str, float]:
        """Return the rates of the impressions since the last status; the report itself is the day's."""
        impressions = _number(today.get("impressions"))
        counts: dict[str, Any] = {
            name: _number(today.get(name)) * impressions for name in _RATES if name in today
        }
        came = self._since_last("kpis", counts | {"impressions": impressions})
        total = came.pop("impressions", 0.0)
        return {name: count / total for name, count in came.items()} if total > 0 else {}

    def _since_last(self, part: str, counts: Mapping[str, Any]) -> dict[str, float]:
        """Return by how much counts have grown; empty the first time and after a restart."""
        now = {f"{part}.{name}": _number(count) for name, count in counts.items()}
        before = {name: self._counts.get(name, math.nan) for name in now}
        self._counts |= now
        grown = {name.removeprefix(f"{part}."): now[name] - before[name] for name in now}
        known = all(not math.isnan(value) and value >= 0 for value in grown.values())
        return grown if known else {}


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _worse(one: float, other: float) -> float:
    if math.isnan(one) or math.isnan(other):
        return other if math.isnan(one) else one
    return max(one, other)
