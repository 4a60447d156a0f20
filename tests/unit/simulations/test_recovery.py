"""How soon a feed is back after a jump is read off all copies together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from simulations.arm_record import ArmRecord
from simulations.recovery import AfterJumps, lost_after_jump, recoveries
from simulations.world import World, WorldSettings

_HOUR = 3_600.0
_WORLD = World(WorldSettings(num_people=2, num_contents=20, num_creators=2))


def _record(viewed_a_slate: Sequence[int], *, before: int = 200) -> ArmRecord:
    """Return a copy whose tastes jump at hour 9, after `before` of its slates of ten."""
    record = ArmRecord(_WORLD, hours=24)
    record.slates = [
        (_HOUR * (9 + (place - before) / 1_000), 10, viewed) for place, viewed in enumerate(viewed_a_slate)
    ]
    return record


def _falls_for(slates: int) -> ArmRecord:
    return _record([8] * 200 + [2] * slates + [8] * (600 - slates))


def test_a_feed_is_back_where_the_window_has_left_the_fall_behind() -> None:
    (found,) = recoveries({"online": [_falls_for(60)] * 10}, (9.0,)).own_level.values()
    window = 200  # 2,000 contents over ten copies
    assert 600 < found.mean <= 600 + window
    assert (found.low, found.high) == (found.mean, found.mean)


def test_more_copies_see_finer() -> None:
    windows = [AfterJumps.of([_falls_for(10)] * copies, (9.0,)).window for copies in (1, 3, 20)]
    assert windows == [2_000, 670, 100]


def test_feeds_are_compared_on_the_same_draws_of_copies() -> None:
    luck = [_falls_for(slates) for slates in (20, 40, 60, 80, 100)]
    later = [_falls_for(slates) for slates in (60, 80, 100, 120, 140)]
    found = recoveries({"online": luck, "frozen-5h": later}, (9.0,))
    assert found.after_online["frozen-5h"].mean == 1.0
    assert found.own_level["online"].high > found.own_level["frozen-5h"].low


def test_a_feed_with_little_to_lose_is_soon_at_its_own_level_and_never_at_onlines() -> None:
    poor = [_record([4] * 200 + [4] * 300)] * 10
    found = recoveries({"online": [_falls_for(60)] * 10, "batch-5h": poor}, (9.0,))
    assert found.own_level["batch-5h"].mean == 200
    assert found.online_level["batch-5h"].mean == 3_000
    assert found.online_level["online"] == found.own_level["online"]
    assert found.never == {"batch-5h"}


def test_a_feed_that_never_is_back_counts_all_that_came() -> None:
    found = recoveries({"online": [_record([8] * 200 + [2] * 300)]}, (9.0,)).own_level["online"]
    assert (found.mean, found.low) == (3_000, None)


def test_copies_of_different_length_count_while_they_last() -> None:
    short, long = _record([8] * 200 + [4] * 20), _record([8] * 200 + [4] * 300)
    curve = AfterJumps.of([short, long], (9.0,)).curves(np.ones((1, 2)))[0]
    np.testing.assert_allclose(curve[99:], 0.4)


def test_the_curve_is_known_from_the_first_whole_window_on() -> None:
    after = AfterJumps.of([_falls_for(60)] * 10, (9.0,))
    curve = after.curves(np.ones((1, 10)))[0]
    first = after.window // 10 - 1
    assert np.isnan(curve[:first]).all()
    assert curve[first] == pytest.approx(0.2)


def test_what_a_jump_costs_is_told_in_parts_of_the_level() -> None:
    found = lost_after_jump(_record([8] * 200 + [2] * 60 + [8] * 200), (9.0,))
    assert found == pytest.approx(60 * 0.6 / 260 / 0.8, abs=0.01)


def test_without_a_jump_or_anything_before_one_there_is_nothing_to_tell() -> None:
    record = _falls_for(60)
    assert AfterJumps.of([record], ()) is None
    assert AfterJumps.of([_record([8] * 20, before=0)], (9.0,)) is None
    assert recoveries({"online": [record]}, ()).own_level["online"].mean is None
    assert np.isnan(lost_after_jump(record, ()))


def test_the_last_few_copies_decide_nothing() -> None:
    short, long = _record([8] * 200 + [4] * 250), _record([8] * 200 + [4] * 250 + [8] * 300)
    found = recoveries({"online": [short, short, long]}, (9.0,)).own_level["online"]
    assert found.mean <= 3_000


def test_fewer_contents_than_a_window_are_a_lower_bound() -> None:
    found = recoveries({"online": [_record([8] * 220)]}, (9.0,)).own_level["online"]
    assert found.mean == 200
