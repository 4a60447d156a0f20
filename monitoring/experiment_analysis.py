"""One experiment as it stands: every arm against the control, at any time, as often as one likes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from messages.codec import pack, unpack
from monitoring.sample_ratio import SampleRatioTest
from monitoring.sequential_test import SequentialTest
from monitoring.user_moments import ratio_effect
from monitoring.user_totals import COUNT_INDEX, UserTotals

CONTROL = 0

Verdict: TypeAlias = Literal["better", "worse", "open"]


class MetricSettings(BaseModel):
    """A ratio of two of `user_totals.COUNTS`, summed over people; by people, it is a mean.

    max_harm: as a guardrail, the relative loss that is accepted; certainly more than that breaks it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1)]
    numerator: str
    denominator: str = "impressions"
    higher_is_better: bool = True
    max_harm: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        for count in (self.numerator, self.denominator):
            if count not in COUNT_INDEX:
                raise ValueError(f"metric {self.name}: {count} is none of {', '.join(COUNT_INDEX)}")
        return self


ENGAGEMENT = MetricSettings(name="engagement", numerator="engagements")
TIME_SPENT = MetricSettings(name="time_spent", numerator="watch_ms", denominator="people", max_harm=0.05)
NEGATIVE_FEEDBACK = MetricSettings(
    name="negative_feedback", numerator="negatives", higher_is_better=False, max_harm=0.1
)


class AnalysisSettings(BaseModel):
    """alpha: chance of a wrong verdict on one metric, over all looks. min_people: in each of the two arms
    before the first look. planned_people: in both together, where the test is at its sharpest.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    primary: MetricSettings = ENGAGEMENT
    guardrails: tuple[MetricSettings, ...] = (NEGATIVE_FEEDBACK, TIME_SPENT)
    alpha: float = Field(default=0.05, gt=0, lt=1)
    sample_ratio_alpha: float = Field(default=0.001, gt=0, lt=1)
    min_people: int = Field(default=100, ge=2)
    planned_people: int = Field(default=10_000, ge=4)
    use_history: bool = True

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [metric.name for metric in (self.primary, *self.guardrails)]
        if len(set(names)) < len(names):
            raise ValueError("metrics must have different names")
        return self


@dataclass(frozen=True, slots=True)
class MetricReading:
    """An arm against the control. low, high: always-valid interval of the difference; relative_*: by the
    control's value. verdict: whether the arm is certainly better or worse. is_broken: as a guardrail.
    explained: share of variance that history took out."""

    metric: str
    control: float
    treatment: float
    low: float
    high: float
    relative: float
    relative_low: float
    relative_high: float
    p_value: float
    explained: float
    verdict: Verdict
    is_broken: bool


@dataclass(frozen=True, slots=True)
class ArmReading:
    """arm: its label. primary, guardrails: None and none before enough people are there."""

    arm: str
    people: int
    control_people: int
    primary: MetricReading | None
    guardrails: tuple[MetricReading, ...]

    @property
    def broken_guardrails(self) -> tuple[MetricReading, ...]:
        return tuple(reading for reading in self.guardrails if reading.is_broken)


@dataclass(frozen=True, slots=True)
class ExperimentReading:
    """sample_ratio_p: always valid. can_be_trusted: False if the arms did not get the people they should."""

    people: tuple[int, ...]
    sample_ratio_p: float
    can_be_trusted: bool
    arms: tuple[ArmReading, ...]


class ExperimentAnalysis:
    """shares: intended, by arm; the first arm is the control."""

    def __init__(self, settings: AnalysisSettings, arms: Sequence[str], shares: Sequence[float]) -> None:
        if len(arms) != len(shares):
            raise ValueError("every arm needs a share")
        self.settings = settings
        self._arms = tuple(arms)
        self._shares = tuple(shares)
        self._ratio = SampleRatioTest(self._shares)
        self._tests: dict[tuple[int, str], SequentialTest] = {}

    def look(self, totals: UserTotals) -> ExperimentReading:
        """Read all arms as they are now. totals: of the same arms."""
        if totals.arms != self._arms:
            raise ValueError(f"totals are of {totals.arms}, not of {self._arms}")
        people = totals.people()
        p_value = float(self._ratio.look(people))
        return ExperimentReading(
            people=tuple(people.tolist()),
            sample_ratio_p=p_value,
            can_be_trusted=p_value > self.settings.sample_ratio_alpha,
            arms=tuple(self._look_at(totals, arm, people.tolist()) for arm in range(1, len(self._arms))),
        )

    def encode(self) -> bytes:
        return pack(
            {
                "sample_ratio_p": float(self._ratio.p_value),
                "tests": [[arm, name, test.to_wire()] for (arm, name), test in sorted(self._tests.items())],
            }
        )

    def restore(self, data: bytes) -> None:
        """Go on where an analysis with the same settings and arms stood."""
        wire: Mapping[str, Any] = unpack(data)
        self._ratio = SampleRatioTest(self._shares, p_value=wire["sample_ratio_p"])
        self._tests = {(arm, name): SequentialTest.from_wire(test) for arm, name, test in wire["tests"]}

    def _look_at(self, totals: UserTotals, arm: int, people: list[int]) -> ArmReading:
        primary, guardrails = None, tuple[MetricReading, ...]()
        if min(people[CONTROL], people[arm]) >= self.settings.min_people:
            both = people[CONTROL] + people[arm]
            primary = self._read(totals, arm, self.settings.primary, both)
            guardrails = tuple(self._read(totals, arm, metric, both) for metric in self.settings.guardrails)
        return ArmReading(self._arms[arm], people[arm], people[CONTROL], primary, guardrails)

    def _read(self, totals: UserTotals, arm: int, metric: MetricSettings, people: int) -> MetricReading:
        control, treatment = (
            totals.moments(which, metric.numerator, metric.denominator) for which in (CONTROL, arm)
        )
        with np.errstate(invalid="ignore", divide="ignore"):  # nothing to divide by is told as NaN
            effect = ratio_effect(control, treatment, use_history=self.settings.use_history)
        test = self._tests.setdefault((arm, metric.name), SequentialTest(self.settings.alpha))
        share = min(people / self.settings.planned_people, 1.0)
        look = test.look(effect.estimate, effect.variance, planned_share=share)
        low, high, base = float(look.low), float(look.high), float(effect.control)
        harm_at_least = -high if metric.higher_is_better else low
        good, bad = (low > 0, high < 0) if metric.higher_is_better else (high < 0, low > 0)
        return MetricReading(
            metric=metric.name,
            control=base,
            treatment=float(effect.treatment),
            low=low,
            high=high,
            relative=_by(float(effect.estimate), base),
            relative_low=_by(low, base),
            relative_high=_by(high, base),
            p_value=float(look.p_value),
            explained=float(effect.explained),
            verdict="better" if good else "worse" if bad else "open",
            is_broken=bool(bad and harm_at_least > metric.max_harm * abs(base)),
        )


def _by(difference: float, base: float) -> float:
    return difference / abs(base) if base else float("nan")
