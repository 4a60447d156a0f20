import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from messages.codec import pack, unpack
from monitoring.alert_rules import AlertEvaluator, AlertRule, AlertState

SLOW = AlertRule(name="slow", metric="p95", window_seconds=60, threshold=100, for_seconds=30, severity="page")


def run(rule: AlertRule, values: list[float], step: float = 10.0) -> list[tuple[float, str]]:
    """One value each `step` seconds; what changed, and when. Every evaluation is after a crash."""
    evaluator, seen = AlertEvaluator([rule]), []
    for place, value in enumerate(values, start=1):
        evaluator.add(place * step, {rule.metric: value, "other": 1.0})
        seen += [(change.time, change.state.value) for change in evaluator.evaluate(place * step)]
        evaluator = AlertEvaluator.from_wire(unpack(pack(evaluator.to_wire())), [rule])
    return seen


def test_fires_once_it_has_held_long_enough_and_says_when_it_is_over() -> None:
    values = [50.0] * 6 + [300.0] * 12 + [50.0] * 12
    assert run(SLOW, values) == [(110.0, "firing"), (230.0, "quiet")]


def test_a_short_peak_does_not_wake_anybody() -> None:
    assert run(SLOW.model_copy(update={"aggregate": "last"}), [50, 300, 300, 50, 300, 300, 50]) == []


def test_pending_is_the_time_in_between() -> None:
    evaluator = AlertEvaluator([SLOW])
    states = []
    for time in (10.0, 20.0, 30.0, 40.0):
        evaluator.add(time, {"p95": 500.0})
        evaluator.evaluate(time)
        states.append(evaluator.state("slow"))
    assert states == [AlertState.PENDING] * 3 + [AlertState.FIRING]


def test_below_a_threshold() -> None:
    rule = AlertRule(name="few", metric="ctr", aggregate="max", above=False, threshold=0.1, window_seconds=20)
    assert run(rule, [0.2, 0.05, 0.05, 0.2]) == [(30.0, "firing"), (40.0, "quiet")]


@pytest.mark.parametrize(
    ("above", "value", "fires"),
    [(True, 2.0, True), (True, 0.5, False), (False, 0.5, True), (None, 0.5, True), (None, 1.2, False)],
)
def test_a_deviation_from_its_own_past(above: bool | None, value: float, fires: bool) -> None:
    rule = AlertRule(
        name="odd", metric="loss", above=above, deviation=0.3, window_seconds=20, baseline_seconds=200
    )
    assert bool(run(rule, [1.0] * 20 + [value] * 2)) is fires


def test_sums_are_held_against_a_baseline_of_the_same_length() -> None:
    rule = AlertRule(
        name="errors", metric="errors", aggregate="sum", deviation=0.5, window_seconds=20,
        baseline_seconds=200,
    )  # fmt: skip
    assert run(rule, [1.0] * 30) == []
    assert run(rule, [1.0] * 30 + [4.0]) == [(310.0, "firing")]


def test_without_enough_past_or_values_nothing_is_said() -> None:
    rule = AlertRule(name="odd", metric="loss", deviation=0.3, window_seconds=20)
    assert run(rule, [1.0] * 5 + [9.0]) == []
    evaluator = AlertEvaluator([SLOW])
    evaluator.add(0.0, {"p95": float("nan")})
    assert evaluator.evaluate(1_000.0) == []


def test_silence_itself_can_be_an_alert() -> None:
    rule = AlertRule(
        name="silence", metric="events", aggregate="count", above=False, threshold=1, window_seconds=60
    )
    evaluator = AlertEvaluator([rule])
    evaluator.add(10.0, {"events": 5.0})
    assert evaluator.evaluate(20.0) == []
    change = evaluator.evaluate(200.0)[0]
    assert change.words() == "silence: count of events over 60 s is 0, limit 1"
    evaluator.add(210.0, {"events": 5.0})
    assert evaluator.evaluate(210.0)[0].words().startswith("silence is over")


@given(
    values=st.lists(st.floats(0, 200), min_size=1, max_size=40),
    aggregate=st.sampled_from(["mean", "min", "max", "sum", "last", "count"]),
)
def test_equals_the_plain_reference(values: list[float], aggregate: str) -> None:
    rule = AlertRule.model_validate(
        {"name": "r", "metric": "m", "aggregate": aggregate, "window_seconds": 45, "threshold": 100,
         "for_seconds": 20}
    )  # fmt: skip
    functions = {"mean": np.mean, "min": min, "max": max, "sum": sum, "count": len}
    expected, since, firing = [], None, False
    for place in range(1, len(values) + 1):
        now = place * 10.0
        window = [value for at, value in enumerate(values[:place], start=1) if at * 10.0 > now - 45]
        met = (window[-1] if aggregate == "last" else functions[aggregate](window)) > 100
        since = (now if since is None else since) if met else None
        if met and not firing and since is not None and now - since >= 20:
            firing = True
            expected.append((now, "firing"))
        elif not met and firing:
            firing = False
            expected.append((now, "quiet"))
    assert run(rule, values) == expected


def test_rules_that_are_gone_leave_nothing() -> None:
    evaluator = AlertEvaluator([SLOW.model_copy(update={"for_seconds": 0.0})])
    evaluator.add(1.0, {"p95": 500.0})
    evaluator.evaluate(1.0)
    other = AlertRule(name="other", metric="x", threshold=1)
    restored = AlertEvaluator.from_wire(evaluator.to_wire(), [other])
    assert restored.to_wire()["firing"] == []
    assert list(restored.to_wire()["values"]) == ["x"]


@pytest.mark.parametrize(
    "wrong", [{}, {"threshold": 1, "deviation": 0.1}, {"threshold": 1, "above": None}, {"deviation": -1}]
)
def test_refuses_a_rule_that_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        AlertRule.model_validate({"name": "r", "metric": "m", **wrong})


def test_refuses_two_rules_of_one_name_and_time_that_goes_back() -> None:
    with pytest.raises(ValueError, match="different names"):
        AlertEvaluator([SLOW, SLOW])
    evaluator = AlertEvaluator([SLOW])
    evaluator.add(5.0, {"p95": 1.0})
    with pytest.raises(ValueError, match="time went back"):
        evaluator.add(4.0, {"p95": 1.0})
