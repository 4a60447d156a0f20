"""The rules with the real analysis on simulated people: who goes on, who is stopped, and after how many."""

from __future__ import annotations

import numpy as np

from monitoring.experiment_analysis import ExperimentAnalysis
from monitoring.model_lifecycle import ModelLifecycle
from monitoring.promotion import PromotionSettings
from monitoring.promotion_evidence import CanaryEvidence, Stage
from monitoring.user_totals import UserTotals
from tests.integration.test_experiment_analysis import ARMS, SETTINGS, people_of
from tests.unit.monitoring.event_log import START, LoggedEvent, message_of

RULES = PromotionSettings(min_canary_seconds=0)


def canary_journey(everybody: list[list[LoggedEvent]], looks: int = 15) -> tuple[ModelLifecycle, int]:
    """Let people come until the rules have decided; return the model and how many had come."""
    totals = UserTotals(ARMS, START - 1)
    analysis = ExperimentAnalysis(SETTINGS, ARMS, (0.5, 0.5))
    model = ModelLifecycle(Stage.CANARY, 0.0, RULES)
    come = 0
    for position, part in enumerate(np.array_split(np.arange(len(everybody)), looks), start=1):
        events = [event for person in part for event in everybody[person]]
        totals.add(message_of(events), partition=0, position=position)
        come += len(part)
        reading = analysis.look(totals)
        evidence = CanaryEvidence(
            seconds=float(position),
            arm=reading.arms[0],
            can_be_trusted=reading.can_be_trusted,
            sample_ratio_p=reading.sample_ratio_p,
        )
        _, transition = model.consider(evidence, float(position))
        if transition is not None:
            break
    return model, come


def test_a_better_canary_goes_to_production_before_everybody_has_come() -> None:
    model, come = canary_journey(people_of(10, 2_000, lift=0.3))
    assert model.stage is Stage.PRODUCTION
    assert come < 2_000
    assert "certainly better: engagement" in model.history[0].reasons[0]


def test_a_worse_canary_is_stopped() -> None:
    model, come = canary_journey(people_of(11, 2_000, lift=-0.3))
    assert model.stage is Stage.STOPPED
    assert come < 2_000
    assert any("engagement" in reason for reason in model.history[0].reasons)


def test_a_canary_that_annoys_is_stopped_although_people_engage_more() -> None:
    model, _ = canary_journey(people_of(12, 2_000, lift=0.1, hides=0.08))
    assert model.stage is Stage.STOPPED
    assert "guardrail broken: negative_feedback" in model.history[0].reasons[0]


def test_an_equal_canary_stays_one() -> None:
    model, come = canary_journey(people_of(13, 1_500))
    assert model.stage is Stage.CANARY
    assert come == 1_500
