import math

import pytest

from learners.features.schema import USER_DENSE_FEATURES
from learners.features.user_features import user_dense_features
from learners.load_times import LoadTimes
from learners.user_state import UserState
from messages.codec import pack, unpack
from messages.impressions import RequestContext

NOW = 1_650_000_000.0


def watched(*loads: float | None) -> UserState:
    state = UserState.empty("u")
    for number, seconds in enumerate(loads):
        event = {"event_type": "view", "content_id": f"c{number}", "watch_duration": 3.0}
        state.apply(event if seconds is None else event | {"load_seconds": seconds}, NOW + number, None)
    return state


def columns(state: UserState) -> dict[str, float]:
    values = user_dense_features(state, RequestContext(), NOW + 99)
    return dict(zip(USER_DENSE_FEATURES, values.tolist(), strict=True))


def test_the_first_times_are_averaged_and_then_the_newest_counts_a_fifth() -> None:
    loads = LoadTimes()
    loads.add(0.1)
    assert loads.mean_log == pytest.approx(math.log(101))
    loads.add(0.3)
    assert loads.mean_log == pytest.approx((math.log(101) + math.log(301)) / 2)
    for _ in range(60):
        loads.add(2.0)
    assert loads.mean_log == pytest.approx(math.log(2_001), abs=1e-3)
    loads.add(0.0)
    assert loads.mean_log == pytest.approx(0.8 * math.log(2_001), abs=1e-3)


def test_a_feature_says_how_slow_loads_were_and_another_whether_any_was_told() -> None:
    slow, fast, untold = columns(watched(4.0)), columns(watched(0.05)), columns(watched(None))
    assert slow["log_load_time"] == pytest.approx(math.log(4_001) / 5 - 1)
    assert slow["log_load_time"] > fast["log_load_time"]
    assert slow["load_time_known"] == fast["load_time_known"] == 1
    assert untold["log_load_time"] == untold["load_time_known"] == 0


def test_times_are_kept_with_the_state_and_may_be_missing_in_an_older_one() -> None:
    state = watched(0.5, 1.0)
    assert UserState.from_bytes(state.to_bytes()).loads == state.loads
    older = pack(unpack(state.to_bytes())[:14])
    assert UserState.from_bytes(older).loads == LoadTimes()
