"""Parts grow when work waits, shrink when it long has not, and hold still within a tolerance."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitoring.scaling_policy import ScalingPolicy, ScalingSettings, load_of_stream, number_wanted

SETTINGS = ScalingSettings(least=1, most=8, each=100.0, grow_after=30.0, shrink_after=300.0)


def decided(policy: ScalingPolicy, loads: list[tuple[float, float]], running: int = 1) -> int:
    """Feed (time, load) one after the other, doing each time what was decided."""
    for now, load in loads:
        running = policy.decide(now, load, running)
    return running


def test_what_waits_must_be_done_in_time_besides_what_comes() -> None:
    assert load_of_stream(50.0, waiting=6_000.0, catch_up_seconds=60.0) == 150.0


@pytest.mark.parametrize(
    ("load", "running", "wanted"),
    [(0, 1, 1), (101, 1, 1), (120, 1, 2), (195, 2, 2), (99, 2, 1), (5_000, 2, 8)],
)
def test_the_number_wanted_is_what_the_load_needs_within_bounds(
    load: float, running: int, wanted: int
) -> None:
    assert number_wanted(SETTINGS, load, running) == wanted


def test_a_load_that_stays_is_followed_and_a_short_peak_is_not() -> None:
    assert decided(ScalingPolicy(SETTINGS), [(0, 400), (10, 400), (20, 400)]) == 1
    assert decided(ScalingPolicy(SETTINGS), [(0, 400), (15, 400), (30, 400)]) == 4
    assert decided(ScalingPolicy(SETTINGS), [(0, 400), (15, 50), (30, 400)]) == 1


def test_it_shrinks_only_after_a_long_lull_and_no_further_than_was_wanted_in_it() -> None:
    lull = [(float(now), 50.0) for now in range(0, 300, 30)]
    assert decided(ScalingPolicy(SETTINGS), lull, running=4) == 4
    assert decided(ScalingPolicy(SETTINGS), [*lull, (300.0, 50.0)], running=4) == 1
    bump = [(now, 250.0 if now == 150 else load) for now, load in lull]
    assert decided(ScalingPolicy(SETTINGS), [*bump, (300.0, 50.0)], running=4) == 3


def test_the_bounds_hold_whatever_runs() -> None:
    policy = ScalingPolicy(ScalingSettings(least=2, most=3, each=1.0))
    assert policy.decide(0.0, 0.0, 1) == 2
    assert policy.decide(1.0, 0.0, 9) == 3


def test_bounds_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValidationError, match="above most"):
        ScalingSettings(least=3, most=2, each=1.0)


@given(st.lists(st.tuples(st.floats(0.1, 100.0), st.floats(0.0, 5_000.0)), min_size=1, max_size=40))
def test_it_never_leaves_its_bounds_nor_what_was_wanted(steps: list[tuple[float, float]]) -> None:
    policy, now, running = ScalingPolicy(SETTINGS), 0.0, 1
    wishes = {1}
    for wait, load in steps:
        now += wait
        wishes.add(number_wanted(SETTINGS, load, running))
        running = policy.decide(now, load, running)
        assert SETTINGS.least <= running <= SETTINGS.most
        assert running in wishes
