"""When a model may go on from shadow to canary to production, and when it must go back: rules, no acting.

A decision is a pure function of stage, evidence and settings; what it says, in words and numbers, is what the
registry keeps as the reason. Whoever acts on it is elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from monitoring.experiment_analysis import MetricReading
from monitoring.promotion_evidence import (
    CanaryEvidence,
    HealthReading,
    ProductionEvidence,
    ShadowEvidence,
    Stage,
)


class Step(StrEnum):
    """stop: of a candidate. roll_back: of production, to what was production before."""

    WAIT = "wait"
    ADVANCE = "advance"
    STOP = "stop"
    ROLL_BACK = "roll_back"


class PromotionSettings(BaseModel):
    """automatic: False asks before a model advances; ask_before_going_back: before it is stopped or rolled
    back.

    loss_margin: nats a prediction by which a shadow may be worse than production and still advance.
    calibration_low, calibration_high: bounds of promised by happened. max_*_seconds: without a verdict by
    then, a candidate is stopped.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    automatic: bool = True
    ask_before_going_back: bool = False
    loss_margin: float = Field(default=0.005, ge=0)
    calibration_low: float = Field(default=0.7, gt=0)
    calibration_high: float = Field(default=1.4, gt=0)
    min_shadow_seconds: float = Field(default=600.0, ge=0)
    max_shadow_seconds: float = Field(default=7 * 86_400.0, gt=0)
    min_canary_seconds: float = Field(default=86_400.0, ge=0)
    max_canary_seconds: float = Field(default=28 * 86_400.0, gt=0)


@dataclass(frozen=True, slots=True)
class Decision:
    """reasons: sentences. numbers: those they are about. needs_approval: somebody must say yes first."""

    step: Step
    stage: Stage
    next_stage: Stage
    needs_approval: bool
    reasons: tuple[str, ...]
    numbers: dict[str, float] = field(default_factory=dict)

    def words(self) -> str:
        """Return the decision as one text."""
        way = f"{self.step.value.replace('_', ' ')}, {self.stage.value} to {self.next_stage.value}"
        what = f"wait in {self.stage.value}" if self.step is Step.WAIT else way
        return f"{what}: {'; '.join(self.reasons)}"

    def to_wire(self) -> dict[str, Any]:
        return asdict(self) | {
            "step": self.step.value,
            "stage": self.stage.value,
            "next_stage": self.next_stage.value,
            "reasons": list(self.reasons),
        }

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Decision:
        return cls(
            step=Step(wire["step"]),
            stage=Stage(wire["stage"]),
            next_stage=Stage(wire["next_stage"]),
            needs_approval=wire["needs_approval"],
            reasons=tuple(wire["reasons"]),
            numbers=dict(wire["numbers"]),
        )


def decide_shadow(evidence: ShadowEvidence, settings: PromotionSettings) -> Decision:
    """Advance where the predictions are certainly as good; stop where they are certainly worse."""
    numbers = {"seconds": evidence.seconds, "rows": evidence.num_rows, "calibration": evidence.calibration}
    numbers |= _health_numbers(evidence.health)
    if evidence.loss is not None:
        numbers |= {f"loss_{name}": value for name, value in evidence.loss.numbers().items()}
    broken = _broken(evidence.health)
    if broken:
        return _back(Stage.SHADOW, broken, numbers, settings)
    if evidence.loss is None:
        return _wait_or_give_up(
            Stage.SHADOW, evidence.seconds, settings.max_shadow_seconds,
            [f"too few people yet: {evidence.num_rows} rows compared"], numbers, settings,
        )  # fmt: skip
    low, high = float(evidence.loss.low), float(evidence.loss.high)
    interval = f"loss against production {low:+.4f} to {high:+.4f} nats, margin {settings.loss_margin:g}"
    if low > settings.loss_margin:
        return _back(Stage.SHADOW, [f"certainly predicts worse: {interval}"], numbers, settings)
    open_points = []
    if high >= settings.loss_margin:
        open_points.append(f"not yet certain to predict as well: {interval}")
    if math.isnan(evidence.calibration):
        open_points.append("calibration is not known yet")
    elif not settings.calibration_low <= evidence.calibration <= settings.calibration_high:
        open_points.append(
            f"promises {evidence.calibration:.2f} times what happens, outside "
            f"{settings.calibration_low:g} to {settings.calibration_high:g}"
        )
    if evidence.seconds < settings.min_shadow_seconds:
        open_points.append(_too_early(evidence.seconds, settings.min_shadow_seconds))
    if open_points:
        return _wait_or_give_up(
            Stage.SHADOW, evidence.seconds, settings.max_shadow_seconds, open_points, numbers, settings
        )
    return _advance(
        Stage.SHADOW, Stage.CANARY, [f"certainly predicts as well: {interval}"], numbers, settings
    )


def decide_canary(evidence: CanaryEvidence, settings: PromotionSettings) -> Decision:
    """Advance where people certainly do better with it; stop at the first thing that is certainly bad."""
    arm = evidence.arm
    numbers = {
        "seconds": evidence.seconds,
        "people": float(arm.people),
        "control_people": float(arm.control_people),
        "sample_ratio_p": evidence.sample_ratio_p,
        **_health_numbers(evidence.health),
    }
    for reading in (*([arm.primary] if arm.primary else []), *arm.guardrails):
        numbers |= _metric_numbers(reading)
    bad = _broken(evidence.health)
    if not evidence.can_be_trusted:
        bad.append(
            f"the arms did not get the people they should: {arm.people} against {arm.control_people}, "
            f"p = {evidence.sample_ratio_p:.2g}"
        )
    bad += [f"guardrail broken: {_metric_words(reading)}" for reading in arm.broken_guardrails]
    if arm.primary is not None and arm.primary.verdict == "worse":
        bad.append(f"certainly worse: {_metric_words(arm.primary)}")
    if bad:
        return _back(Stage.CANARY, bad, numbers, settings)
    open_points = []
    if arm.primary is None:
        open_points.append(f"too few people yet: {arm.people} against {arm.control_people}")
    elif arm.primary.verdict != "better":
        open_points.append(f"not yet certain: {_metric_words(arm.primary)}")
    if evidence.seconds < settings.min_canary_seconds:
        open_points.append(_too_early(evidence.seconds, settings.min_canary_seconds))
    if open_points or arm.primary is None:
        return _wait_or_give_up(
            Stage.CANARY, evidence.seconds, settings.max_canary_seconds, open_points, numbers, settings
        )
    words = [f"certainly better: {_metric_words(arm.primary)}"]
    words += [f"guardrail holds: {_metric_words(reading)}" for reading in arm.guardrails]
    return _advance(Stage.CANARY, Stage.PRODUCTION, words, numbers, settings)


def decide_production(evidence: ProductionEvidence, settings: PromotionSettings) -> Decision:
    """Roll back where something that is watched is broken."""
    numbers = {"seconds": evidence.seconds, **_health_numbers(evidence.health)}
    broken = _broken(evidence.health)
    if broken:
        return _back(Stage.PRODUCTION, broken, numbers, settings)
    healthy = [reading.words() for reading in evidence.health] or ["nothing is watched"]
    return Decision(Step.WAIT, Stage.PRODUCTION, Stage.PRODUCTION, False, tuple(healthy), numbers)


def _advance(
    stage: Stage,
    next_stage: Stage,
    reasons: list[str],
    numbers: dict[str, float],
    settings: PromotionSettings,
) -> Decision:
    return Decision(Step.ADVANCE, stage, next_stage, not settings.automatic, tuple(reasons), numbers)


def _back(
    stage: Stage, reasons: list[str], numbers: dict[str, float], settings: PromotionSettings
) -> Decision:
    step = Step.ROLL_BACK if stage is Stage.PRODUCTION else Step.STOP
    return Decision(step, stage, Stage.STOPPED, settings.ask_before_going_back, tuple(reasons), numbers)


def _wait_or_give_up(
    stage: Stage,
    seconds: float,
    limit: float,
    open_points: list[str],
    numbers: dict[str, float],
    settings: PromotionSettings,
) -> Decision:
    if seconds > limit:
        return _back(stage, [f"no verdict after {seconds:.0f} s", *open_points], numbers, settings)
    return Decision(Step.WAIT, stage, stage, False, tuple(open_points), numbers)


def _too_early(seconds: float, least: float) -> str:
    return f"{seconds:.0f} s of at least {least:.0f} s have passed"


def _broken(health: tuple[HealthReading, ...]) -> list[str]:
    return [reading.words() for reading in health if reading.is_broken]


def _health_numbers(health: tuple[HealthReading, ...]) -> dict[str, float]:
    return {f"health_{reading.name}": reading.value for reading in health}


def _metric_numbers(reading: MetricReading) -> dict[str, float]:
    return {
        f"{reading.metric}_control": reading.control,
        f"{reading.metric}_treatment": reading.treatment,
        f"{reading.metric}_low": reading.low,
        f"{reading.metric}_high": reading.high,
        f"{reading.metric}_p_value": reading.p_value,
    }


def _metric_words(reading: MetricReading) -> str:
    return (
        f"{reading.metric} {reading.treatment:.4g} against {reading.control:.4g}, {reading.relative:+.1%} "
        f"({reading.relative_low:+.1%} to {reading.relative_high:+.1%})"
    )
