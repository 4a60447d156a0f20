"""What comes in from outside: mended where it can be, named where it cannot."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.events import (
    EVENT_TYPES,
    InvalidEventError,
    event_id_of,
    parse_event,
    parse_events,
)

VIEW: dict[str, Any] = {
    "event_type": "view",
    "user_id": "ann",
    "content_id": "c1",
    "timestamp": 1_700_000_000,
    "watch_duration": 3.5,
}
REQUIRED: dict[str, dict[str, Any]] = {
    "view": {"content_id": "c", "watch_duration": 1},
    "follow": {"creator_id": "k"},
    "unfollow": {"creator_id": "k"},
    "content_upload": {"creator_id": "k", "content_id": "c"},
}


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_every_event_of_the_specification_has_a_model_of_its_own(event_type: str) -> None:
    fields = {
        "event_type": event_type,
        "timestamp": 1_700_000_000,
        **REQUIRED.get(event_type, {"content_id": "c"}),
    }
    if event_type != "content_upload":
        fields["user_id"] = "ann"
    assert parse_event(fields)["event_type"] == event_type


@pytest.mark.parametrize(
    "moment", [1_700_000_000, 1_700_000_000_000, "1700000000", "2023-11-14T22:13:20Z", "2023-11-14T22:13:20"]
)
def test_times_in_seconds_milliseconds_and_iso_are_the_same_moment(moment: Any) -> None:
    assert parse_event(VIEW | {"timestamp": moment})["timestamp"] == 1_700_000_000


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"event_type": "dance"}, "event_type", "must be one of view"),
        ({"watch_duration": -1}, "watch_duration", "greater than or equal to 0"),
        ({"watch_duration": float("nan")}, "watch_duration", "finite"),
        ({"user_id": ""}, "user_id", "at least 1 character"),
        ({"user_id": "x" * 201}, "user_id", "at most 200 characters"),
        ({"colour": "red"}, "colour", "not permitted"),
        ({"timestamp": "yesterday"}, "timestamp", "Invalid isoformat"),
        ({"timestamp": True}, "timestamp", ""),
    ],
)
def test_a_wrong_field_is_named_with_the_reason(change: dict[str, Any], field: str, reason: str) -> None:
    if field == "timestamp" and change["timestamp"] is True:
        assert parse_event(VIEW | change)["timestamp"] == 1.0  # a number to Python and to msgpack
        return
    with pytest.raises(InvalidEventError) as caught:
        parse_event(VIEW | change)
    assert caught.value.field == field
    assert reason in caught.value.reason


def test_a_missing_field_is_named() -> None:
    with pytest.raises(InvalidEventError, match="watch_duration: Field required"):
        parse_event({name: value for name, value in VIEW.items() if name != "watch_duration"})


@pytest.mark.parametrize("raw", [None, 7, "view", [], {}, {"event_type": ["view"]}])
def test_what_is_no_event_at_all_is_refused(raw: object) -> None:
    with pytest.raises(InvalidEventError):
        parse_event(raw)


def test_an_event_without_an_id_is_named_by_all_its_fields() -> None:
    named = parse_event(VIEW)
    assert named["event_id"] == parse_event(dict(reversed(VIEW.items())))["event_id"]
    assert named["event_id"] != parse_event(VIEW | {"watch_duration": 3.6})["event_id"]
    assert named["event_id"] == event_id_of(named)
    assert parse_event(VIEW | {"event_id": "mine"})["event_id"] == "mine"


def test_of_a_batch_the_good_ones_are_kept_in_order_and_the_bad_ones_named_by_place() -> None:
    accepted, refused = parse_events([VIEW, {"event_type": "view"}, VIEW | {"user_id": "bob"}, 3])
    assert [event["user_id"] for event in accepted] == ["ann", "bob"]
    assert sorted(refused) == [1, 3]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["event_type", "user_id", "x"]), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_whatever_comes_in_is_accepted_or_refused_by_name(raw: object) -> None:
    accepted, refused = parse_events([raw])
    assert len(accepted) + len(refused) == 1
