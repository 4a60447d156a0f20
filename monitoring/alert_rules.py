"""Rules that say when somebody should look: a metric over a window, against a limit or its own past.

As Prometheus has it: a condition that is met makes an alert pending, and firing once it has held for
`for_seconds`. Sending is somebody else's; here are only the rules, on whatever clock they are given.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal, Self, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

Aggregate: TypeAlias = Literal["mean", "min", "max", "sum", "last", "count"]


class AlertRule(BaseModel):
    """Either a threshold or a deviation from the baseline.

    above: the side that is bad; None means both, for deviations only. threshold: in the metric's unit.
    deviation: relative to the baseline, 0.3 is 30 %; baseline: the mean of `baseline_seconds` before the
    window. severity: "page" wakes somebody.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=100)]
    metric: Annotated[str, Field(min_length=1)]
    aggregate: Aggregate = "mean"
    window_seconds: float = Field(default=300.0, gt=0)
    above: bool | None = True
    threshold: float | None = None
    deviation: float | None = Field(default=None, gt=0)
    baseline_seconds: float = Field(default=3600.0, gt=0)
    min_baseline_values: int = Field(default=10, ge=1)
    for_seconds: float = Field(default=0.0, ge=0)
    severity: Literal["warning", "page"] = "warning"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.threshold is None) == (self.deviation is None):
            raise ValueError(f"alert {self.name}: give a threshold or a deviation, and not both")
        if self.threshold is not None and self.above is None:
            raise ValueError(f"alert {self.name}: a threshold is crossed to one side, above or below")
        return self

    @property
    def memory_seconds(self) -> float:
        """How far back values matter."""
        return self.window_seconds + (self.baseline_seconds if self.deviation is not None else 0.0)


class AlertState(StrEnum):
    QUIET = "quiet"
    PENDING = "pending"
    FIRING = "firing"


@dataclass(frozen=True, slots=True)
class AlertChange:
    """A rule began to fire, or ceased. value: of the window. limit: that it crossed, in the same unit."""

    rule: AlertRule
    state: AlertState
    time: float
    value: float
    limit: float

    def words(self) -> str:
        """Return the change as one sentence."""
        seen = f"{self.rule.aggregate} of {self.rule.metric} over {self.rule.window_seconds:g} s"
        if self.state is AlertState.FIRING:
            return f"{self.rule.name}: {seen} is {self.value:.4g}, limit {self.limit:.4g}"
        return f"{self.rule.name} is over: {seen} is {self.value:.4g}"


@dataclass(frozen=True, slots=True)
class AlertReading:
    """A rule as it stands. value, limit: NaN where they are not known."""

    rule: AlertRule
    state: AlertState
    value: float
    limit: float


class AlertEvaluator:
    """Keeps the values that its rules look back on. Times only rise; not for several threads."""

    def __init__(self, rules: Sequence[AlertRule]) -> None:
        if len({rule.name for rule in rules}) < len(rules):
            raise ValueError("alert rules must have different names")
        self.rules = tuple(rules)
        self._memory: dict[str, float] = {}
        for rule in rules:
            self._memory[rule.metric] = max(self._memory.get(rule.metric, 0.0), rule.memory_seconds)
        self._values: dict[str, tuple[list[float], list[float]]] = {
            metric: ([], []) for metric in self._memory
        }
        """By metric: times, rising, and values."""
        self._heard_since: dict[str, float] = {}
        self._met_since: dict[str, float] = {}
        self._firing: set[str] = set()

    def add(self, time: float, values: Mapping[str, float]) -> None:
        """Take in values of a moment, epoch seconds; metrics without a rule and NaN are passed over.

        Raises ValueError where time goes back.
        """
        for metric, (times, numbers) in self._values.items():
            value = values.get(metric)
            if value is None or np.isnan(value):
                continue
            if times and time < times[-1]:
                raise ValueError(f"{metric}: time went back from {times[-1]} to {time}")
            self._heard_since.setdefault(metric, time)
            times.append(time)
            numbers.append(float(value))
            old = bisect.bisect_right(times, time - self._memory[metric])
            del times[:old], numbers[:old]

    def evaluate(self, now: float) -> list[AlertChange]:
        """Return which rules began or ceased to fire. A window without values changes nothing."""
        changes = []
        for rule in self.rules:
            value, limit, is_met = self._read(rule, now)
            if is_met is None:
                continue
            if is_met:
                since = self._met_since.setdefault(rule.name, now)
                if rule.name not in self._firing and now - since >= rule.for_seconds:
                    self._firing.add(rule.name)
                    changes.append(AlertChange(rule, AlertState.FIRING, now, value, limit))
            else:
                self._met_since.pop(rule.name, None)
                if rule.name in self._firing:
                    self._firing.discard(rule.name)
                    changes.append(AlertChange(rule, AlertState.QUIET, now, value, limit))
        return changes

    def state(self, name: str) -> AlertState:
        if name in self._firing:
            return AlertState.FIRING
        return AlertState.PENDING if name in self._met_since else AlertState.QUIET

    def met_since(self, name: str, now: float) -> float:
        """Return since when a rule's condition has been met; now where it is not."""
        return self._met_since.get(name, now)

    def readings(self, now: float) -> list[AlertReading]:
        """Return all rules as they stand, in their order; changes nothing."""
        return [AlertReading(rule, self.state(rule.name), *self._read(rule, now)[:2]) for rule in self.rules]

    def _read(self, rule: AlertRule, now: float) -> tuple[float, float, bool | None]:
        """Return the window's value, the limit, and whether it is crossed; None where that is not known."""
        window = self._between(rule.metric, now - rule.window_seconds, now)
        if not window and rule.aggregate != "count":
            return float("nan"), float("nan"), None
        value = _aggregate(rule.aggregate, window)
        if rule.threshold is not None:
            return value, rule.threshold, value > rule.threshold if rule.above else value < rule.threshold
        assert rule.deviation is not None
        start = now - rule.window_seconds
        past = self._between(rule.metric, start - rule.baseline_seconds, start)
        if len(past) < rule.min_baseline_values:
            return value, float("nan"), None
        baseline = float(np.mean(past))
        if rule.aggregate in ("sum", "count"):
            total = len(past) if rule.aggregate == "count" else sum(past)
            heard_for = min(rule.baseline_seconds, start - self._heard_since[rule.metric])
            baseline = total * rule.window_seconds / max(heard_for, rule.window_seconds)
        upper = baseline + rule.deviation * abs(baseline)
        lower = baseline - rule.deviation * abs(baseline)
        if rule.above is not False and value > upper:
            return value, upper, True
        if rule.above is not True and value < lower:
            return value, lower, True
        return value, upper if rule.above is not False else lower, False

    def _between(self, metric: str, after: float, until: float) -> list[float]:
        times, numbers = self._values[metric]
        return numbers[bisect.bisect_right(times, after) : bisect.bisect_right(times, until)]

    def to_wire(self) -> dict[str, Any]:
        """Return what `messages.codec.pack` takes."""
        return {
            "values": {
                metric: [np.array(times), np.array(numbers)]
                for metric, (times, numbers) in self._values.items()
            },
            "heard_since": self._heard_since,
            "met_since": self._met_since,
            "firing": sorted(self._firing),
        }

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any], rules: Sequence[AlertRule]) -> AlertEvaluator:
        """Go on under rules that may have changed meanwhile: of those that are gone nothing is kept."""
        evaluator = cls(rules)
        names = {rule.name for rule in rules}
        for metric, (times, numbers) in wire["values"].items():
            if metric in evaluator._values:
                evaluator._values[metric] = (times.tolist(), numbers.tolist())
        evaluator._heard_since = {
            metric: since for metric, since in wire["heard_since"].items() if metric in evaluator._values
        }
        evaluator._met_since = {name: since for name, since in wire["met_since"].items() if name in names}
        evaluator._firing = {name for name in wire["firing"] if name in names}
        return evaluator


def _aggregate(aggregate: Aggregate, values: list[float]) -> float:
    if aggregate == "count":
        return float(len(values))
    if aggregate == "last":
        return values[-1]
    if aggregate == "mean":
        return float(np.mean(values))
    if aggregate == "sum":
        return float(sum(values))
    return min(values) if aggregate == "min" else max(values)
