from __future__ import annotations

import pytest

from simulations.benchmarks.freshness_load import FreshnessReport
from simulations.benchmarks.http_load import LoadReport
from simulations.benchmarks.models_benchmark import (
    LearnerWork,
    ModelsBenchmarkError,
    ModelsBenchmarkSettings,
    ModelsMeasurement,
)

EVENTS = 1_000


class TwoModels:
    """A system in which an event costs production's learner 100 us and the candidate's 110 us, and an answer
    takes 10 ms, or 12 ms beside a canary."""

    def __init__(self, missed_by_candidate: int = 0) -> None:
        self._learned = {"learner": 0}
        self._missed = missed_by_candidate
        self._canary = False

    def create(self) -> None:
        self._learned["learner-candidate"] = 0

    def show(self) -> None:
        self._canary = True

    def hide(self) -> None:
        self._canary = False

    def retire(self) -> None:
        del self._learned["learner-candidate"]

    def offer(self, seconds: float) -> FreshnessReport:
        for role in self._learned:
            self._learned[role] += EVENTS - (self._missed if role != "learner" else 0)
        return FreshnessReport(
            probes=1, missed=0, p50_ms=100, p95_ms=1, p99_ms=1, events_per_s=1, feeds_per_s=1, failures=0,
            client_cpu=0.1,
        )  # fmt: skip

    def ask(self) -> LoadReport:
        taken = 12.0 if self._canary else 10.0
        return LoadReport(
            seconds=1, served=1, refused=0, failed=0, late=0, p50_ms=taken, p95_ms=taken, p99_ms=taken,
            windows=[], statuses={}, client_cpu=0.1,
        )  # fmt: skip

    def read(self) -> dict[str, LearnerWork]:
        price = {"learner": 100e-6, "learner-candidate": 110e-6}
        return {role: LearnerWork(done, done * price[role]) for role, done in self._learned.items()}


def measurement_of(system: TwoModels) -> ModelsMeasurement:
    return ModelsMeasurement(
        ModelsBenchmarkSettings(), system, system.offer, system.ask, system.read, poll_seconds=0.0
    )


def test_two_learners_are_compared_with_one_by_the_event_and_answers_with_and_without_a_canary() -> None:
    report = measurement_of(TwoModels()).run()
    assert report["learner_cpu_us_one"] == pytest.approx(100)
    assert report["learner_cpu_ratio"] == pytest.approx(2.1)
    assert report["canary_p50_ratio"] == pytest.approx(1.2)
    assert report["rounds_p50_ms_alone"] == [10, 10, 10]
    assert report["errors_of_feeds"] == report["errors_of_loads"] == 0


def test_learners_that_did_not_learn_the_same_are_not_compared() -> None:
    with pytest.raises(ModelsBenchmarkError, match="did not learn the same examples"):
        measurement_of(TwoModels(missed_by_candidate=1)).run()
