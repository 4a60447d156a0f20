from dataclasses import replace

import numpy as np
import pytest

from monitoring.experiment_analysis import ArmReading, MetricReading, Verdict
from monitoring.promotion import (
    PromotionSettings,
    Step,
    decide_canary,
    decide_production,
    decide_shadow,
)
from monitoring.promotion_evidence import (
    CanaryEvidence,
    HealthReading,
    ProductionEvidence,
    ShadowEvidence,
    Stage,
)
from monitoring.sequential_test import SequentialLook

SETTINGS = PromotionSettings(loss_margin=0.01, min_shadow_seconds=60, min_canary_seconds=60)
SLOW = HealthReading("p95_ms", 900.0, 100.0, True)
QUICK = HealthReading("p95_ms", 20.0, 100.0, False)


def look(low: float, high: float) -> SequentialLook:
    middle = np.asarray((low + high) / 2)
    return SequentialLook(middle, np.asarray(0.01), np.asarray(low), np.asarray(high), np.asarray(0.5))


def shadow(low: float = -0.2, high: float = -0.1, **changes: object) -> ShadowEvidence:
    evidence = ShadowEvidence(seconds=100, num_rows=5_000, loss=look(low, high), calibration=1.0)
    return replace(evidence, **changes)  # type: ignore[arg-type]


def metric(name: str = "engagement", verdict: Verdict = "better", is_broken: bool = False) -> MetricReading:
    return MetricReading(
        metric=name, control=0.4, treatment=0.44, low=0.02, high=0.06, relative=0.1, relative_low=0.05,
        relative_high=0.15, p_value=0.001, explained=0.3, verdict=verdict, is_broken=is_broken,
    )  # fmt: skip


def canary(primary: MetricReading | None = None, **changes: object) -> CanaryEvidence:
    arm = ArmReading("one/new", 500, 480, primary or metric(), (metric("negatives", "open"),))
    evidence = CanaryEvidence(seconds=100, arm=arm, can_be_trusted=True, sample_ratio_p=0.8)
    return replace(evidence, **changes)  # type: ignore[arg-type]


class TestShadow:
    def test_advances_when_it_certainly_predicts_as_well(self) -> None:
        decision = decide_shadow(shadow(high=0.009), SETTINGS)
        assert (decision.step, decision.next_stage) == (Step.ADVANCE, Stage.CANARY)
        assert not decision.needs_approval
        assert decision.words() == (
            "advance, shadow to canary: certainly predicts as well: loss against production "
            "-0.2000 to +0.0090 nats, margin 0.01"
        )
        assert decision.numbers["loss_high"] == 0.009

    def test_stops_when_it_certainly_predicts_worse(self) -> None:
        decision = decide_shadow(shadow(0.02, 0.1), SETTINGS)
        assert (decision.step, decision.next_stage) == (Step.STOP, Stage.STOPPED)

    @pytest.mark.parametrize(
        ("evidence", "reason"),
        [
            (shadow(loss=None), "too few people"),
            (shadow(-0.1, 0.2), "not yet certain"),
            (shadow(seconds=30), "30 s of at least 60 s"),
            (shadow(calibration=3.0), "promises 3.00 times"),
            (shadow(calibration=float("nan")), "not known"),
        ],
    )
    def test_waits_while_something_is_open(self, evidence: ShadowEvidence, reason: str) -> None:
        decision = decide_shadow(evidence, SETTINGS)
        assert decision.step is Step.WAIT
        assert reason in decision.words()
        assert decision.words().startswith("wait in shadow")

    def test_gives_up_in_the_end(self) -> None:
        decision = decide_shadow(shadow(-0.1, 0.2, seconds=1e9), SETTINGS)
        assert decision.step is Step.STOP
        assert "no verdict" in decision.words()

    def test_stops_at_once_where_it_is_broken(self) -> None:
        assert decide_shadow(shadow(health=(SLOW,)), SETTINGS).step is Step.STOP

    def test_asks_first_where_that_is_the_setting(self) -> None:
        asking = SETTINGS.model_copy(update={"automatic": False})
        assert decide_shadow(shadow(), asking).needs_approval
        assert not decide_shadow(shadow(0.02, 0.1), asking).needs_approval


class TestCanary:
    def test_advances_when_people_certainly_do_better(self) -> None:
        decision = decide_canary(canary(), SETTINGS)
        assert (decision.step, decision.next_stage) == (Step.ADVANCE, Stage.PRODUCTION)
        assert "engagement 0.44 against 0.4, +10.0% (+5.0% to +15.0%)" in decision.words()
        assert "guardrail holds: negatives" in decision.words()
        assert decision.numbers["engagement_low"] == 0.02

    @pytest.mark.parametrize(
        ("evidence", "reason"),
        [
            (canary(metric(verdict="worse")), "certainly worse"),
            (canary(can_be_trusted=False, sample_ratio_p=1e-5), "p = 1e-05"),
            (canary(health=(QUICK, SLOW)), "p95_ms is 900, limit 100"),
            (
                canary(arm=replace(canary().arm, guardrails=(metric("negatives", "worse", is_broken=True),))),
                "guardrail broken: negatives",
            ),
        ],
    )
    def test_goes_back_at_the_first_bad_thing_without_waiting(
        self, evidence: CanaryEvidence, reason: str
    ) -> None:
        decision = decide_canary(replace(evidence, seconds=1), SETTINGS)
        assert (decision.step, decision.next_stage) == (Step.STOP, Stage.STOPPED)
        assert reason in decision.words()

    def test_waits_for_a_verdict_people_and_time(self) -> None:
        assert decide_canary(canary(metric(verdict="open")), SETTINGS).step is Step.WAIT
        assert decide_canary(canary(seconds=5), SETTINGS).step is Step.WAIT
        nobody = replace(canary().arm, primary=None, guardrails=())
        assert "too few people" in decide_canary(canary(arm=nobody), SETTINGS).words()

    def test_gives_up_in_the_end(self) -> None:
        assert decide_canary(canary(metric(verdict="open"), seconds=1e9), SETTINGS).step is Step.STOP


class TestProduction:
    def test_is_rolled_back_where_something_watched_is_broken(self) -> None:
        decision = decide_production(ProductionEvidence(5, (QUICK, SLOW)), SETTINGS)
        assert (decision.step, decision.next_stage) == (Step.ROLL_BACK, Stage.STOPPED)
        assert decision.words() == "roll back, production to stopped: p95_ms is 900, limit 100"
        assert decision.numbers["health_p95_ms"] == 20.0 or decision.numbers["health_p95_ms"] == 900.0

    def test_stays_where_all_is_well(self) -> None:
        assert decide_production(ProductionEvidence(5, (QUICK,)), SETTINGS).step is Step.WAIT
        assert "nothing is watched" in decide_production(ProductionEvidence(5), SETTINGS).words()

    def test_can_ask_before_it_goes_back(self) -> None:
        asking = SETTINGS.model_copy(update={"ask_before_going_back": True})
        assert decide_production(ProductionEvidence(5, (SLOW,)), asking).needs_approval
