from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from messages.examples import HEAD_INDEX, HEADS, LabelKind
from monitoring.experiment_analysis import (
    AnalysisSettings,
    ExperimentAnalysis,
    ExperimentReading,
    MetricSettings,
)
from monitoring.experiment_assignment import uniform_of
from monitoring.user_totals import UserTotals
from tests.unit.monitoring.event_log import START, LoggedEvent, message_of

ARMS = ("one/control", "one/new")
SETTINGS = AnalysisSettings(min_people=50, planned_people=2_000)
PROTOTYPE = LoggedEvent(1, "view", START, 1, 1, 2.0, float("nan"), ARMS[0], "production", (0,) * len(HEADS))


def people_of(
    seed: int, n: int, *, lift: float = 0.0, hides: float = 0.0, share: float = 0.5, each: int = 8
) -> list[list[LoggedEvent]]:
    """n people with some contents each, one list a person; the second arm engages and hides as told."""
    generator = np.random.default_rng(seed)
    keys = np.arange(1, n + 1, dtype=np.uint64) + np.uint64(seed * 1_000_000)
    treated = uniform_of(keys, "arm") < share
    everybody = []
    for key, in_new, chance in zip(keys.tolist(), treated, generator.beta(4, 5, n), strict=True):
        chance = min(chance * (1 + lift * in_new), 1.0)
        own = []
        for _ in range(each):
            labels = [int(LabelKind.PROVISIONAL_NEGATIVE)] * len(HEADS)
            engaged = generator.random() < chance
            labels[HEAD_INDEX["engage"]] = int(
                LabelKind.OBSERVED_POSITIVE if engaged else LabelKind.OBSERVED_NEGATIVE
            )
            event = replace(
                PROTOTYPE, user=key, arm=ARMS[int(in_new)], kind="view" if engaged else "skip",
                labels=tuple(labels), watch=5.0 * engaged,
            )  # fmt: skip
            own.append(event)
            if generator.random() < 0.02 + hides * in_new:
                own.append(replace(event, kind="hide", labels=(0,) * len(HEADS), watch=0.0))
        everybody.append(own)
    return everybody


def read(
    everybody: list[list[LoggedEvent]], looks: int = 4, settings: AnalysisSettings = SETTINGS
) -> list[ExperimentReading]:
    totals, readings = UserTotals(ARMS, START - 1), []
    analysis = ExperimentAnalysis(settings, ARMS, (0.5, 0.5))
    for position, part in enumerate(np.array_split(np.arange(len(everybody)), looks), start=1):
        totals.add(
            message_of([event for person in part for event in everybody[person]]),
            partition=0,
            position=position,
        )
        readings.append(analysis.look(totals))
        restored = ExperimentAnalysis(settings, ARMS, (0.5, 0.5))
        restored.restore(analysis.encode())  # every look is after a crash
        analysis, totals = restored, UserTotals.decode(totals.encode())
    return readings


def test_a_better_arm_is_found_better_and_a_worse_one_worse() -> None:
    better = read(people_of(0, 1_500, lift=0.3))[-1].arms[0].primary
    worse = read(people_of(1, 1_500, lift=-0.3))[-1].arms[0].primary
    assert better is not None
    assert worse is not None
    assert (better.verdict, worse.verdict) == ("better", "worse")
    assert better.relative_low < 0.3 < better.relative_high
    assert better.treatment > better.control
    assert better.p_value < 0.05


def test_equal_arms_stay_open_and_break_nothing() -> None:
    for reading in read(people_of(2, 1_200)):
        assert reading.can_be_trusted
        assert not reading.arms[0].broken_guardrails
        if reading.arms[0].primary is not None:
            assert reading.arms[0].primary.verdict == "open"


def test_an_arm_that_annoys_breaks_its_guardrail() -> None:
    arm = read(people_of(3, 1_500, hides=0.06))[-1].arms[0]
    assert [broken.metric for broken in arm.broken_guardrails] == ["negative_feedback"]


def test_a_harm_within_the_margin_is_accepted() -> None:
    lenient = SETTINGS.model_copy(
        update={"guardrails": (SETTINGS.guardrails[0].model_copy(update={"max_harm": 9.0}),)}
    )
    arm = read(people_of(3, 1_500, hides=0.06), settings=lenient)[-1].arms[0]
    assert arm.guardrails[0].verdict == "worse"
    assert not arm.broken_guardrails


def test_lost_people_make_an_experiment_untrustworthy() -> None:
    assert not read(people_of(4, 900, share=0.35, each=1))[-1].can_be_trusted


def test_nothing_is_said_of_few_people() -> None:
    reading = read(people_of(5, 40), looks=1)[0]
    assert reading.arms[0].primary is None
    assert reading.arms[0].guardrails == ()
    assert sum(reading.people) == 40


def test_settings_and_totals_must_fit() -> None:
    with pytest.raises(ValidationError, match="is none of"):
        MetricSettings(name="x", numerator="smiles")
    with pytest.raises(ValidationError, match="different names"):
        AnalysisSettings(guardrails=(SETTINGS.primary,))
    with pytest.raises(ValueError, match="share"):
        ExperimentAnalysis(SETTINGS, ARMS, (1.0,))
    with pytest.raises(ValueError, match="totals are of"):
        ExperimentAnalysis(SETTINGS, ARMS, (0.5, 0.5)).look(UserTotals(("a", "b"), START))
