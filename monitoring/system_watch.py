"""The health of the whole system: how soon, how much and how well it reads what people do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitoring.alert_rules import AlertChange, AlertEvaluator, AlertRule

_NAN = float("nan")
_MOST_TIMES = 65_536


@dataclass(frozen=True, slots=True)
class StreamCounts:
    """Since whenever: events of people that were read, those of them that found their impression, and letters
    that are dead. is_live: False while what is read is a backlog, whose pace says nothing of today's."""

    events: int
    joined: int
    dead_letters: int
    is_live: bool = True


class SystemWatch:
    """Rules about `values`: freshness_p95_seconds, join_rate, events_per_second, dead_letters_per_second."""

    def __init__(self, rules: Sequence[AlertRule]) -> None:
        self._evaluator = AlertEvaluator(rules)
        self._freshness: list[float] = []
        self._last: tuple[float, StreamCounts] | None = None
        self.values: dict[str, float] = {}
        """What the last look saw, NaN where nothing came since the look before."""

    def add_freshness(self, seconds: Sequence[float]) -> None:
        """Take in how long after events replicas served what was learned of them."""
        self._freshness += seconds[: _MOST_TIMES - len(self._freshness)]

    def look(self, now: float, counts: StreamCounts) -> list[AlertChange]:
        """Compare with the look before; return which rules began or ceased to fire. now: epoch seconds."""
        freshness, self._freshness = self._freshness, []
        self.values = {
            "freshness_p95_seconds": float(np.quantile(freshness, 0.95)) if freshness else _NAN,
            **self._rates(now, counts),
        }
        self._last = now, counts
        self._evaluator.add(now, self.values)
        return self._evaluator.evaluate(now)

    def _rates(self, now: float, counts: StreamCounts) -> dict[str, float]:
        if self._last is None or now <= self._last[0]:
            return dict.fromkeys(("join_rate", "events_per_second", "dead_letters_per_second"), _NAN)
        then, before = self._last
        events, seconds = counts.events - before.events, now - then
        return {
            "join_rate": (counts.joined - before.joined) / events if events else _NAN,
            "events_per_second": events / seconds if counts.is_live and before.is_live else _NAN,
            "dead_letters_per_second": (counts.dead_letters - before.dead_letters) / seconds,
        }
