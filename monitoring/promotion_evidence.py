"""What the rules of promotion look at, by the stage a model is in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from monitoring.alert_rules import AlertReading, AlertState
from monitoring.experiment_analysis import ArmReading
from monitoring.sequential_test import SequentialLook


class Stage(StrEnum):
    """shadow: scores what production serves, and its answers reach nobody. canary: serves a share of people.
    stopped: serves nobody."""

    SHADOW = "shadow"
    CANARY = "canary"
    PRODUCTION = "production"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class HealthReading:
    """Something that is watched without a test: latency, error rate, calibration, a firing alert."""

    name: str
    value: float
    limit: float
    is_broken: bool

    def words(self) -> str:
        return f"{self.name} is {self.value:.4g}, limit {self.limit:.4g}"


def health_of(readings: Iterable[AlertReading]) -> tuple[HealthReading, ...]:
    """Read health off alert rules: broken is what fires, so a model goes back for what has lasted, not for a
    peak."""
    return tuple(
        HealthReading(reading.rule.name, reading.value, reading.limit, reading.state is AlertState.FIRING)
        for reading in readings
    )


@dataclass(frozen=True, slots=True)
class ShadowEvidence:
    """seconds: in this stage. loss: candidate's less production's, None before enough people. calibration:
    promised by happened of the head that matters, NaN before anything happened."""

    seconds: float
    num_rows: int
    loss: SequentialLook | None
    calibration: float
    health: tuple[HealthReading, ...] = ()


@dataclass(frozen=True, slots=True)
class CanaryEvidence:
    """arm: the candidate's against the control. can_be_trusted, sample_ratio_p: of the experiment."""

    seconds: float
    arm: ArmReading
    can_be_trusted: bool
    sample_ratio_p: float
    health: tuple[HealthReading, ...] = ()


@dataclass(frozen=True, slots=True)
class ProductionEvidence:
    seconds: float
    health: tuple[HealthReading, ...] = ()
