"""Cleaning lets through at once only what pydantic would let through unchanged."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from learners.cleaning import CleaningSettings, clean_event, recognized
from messages.events import EVENT_TYPES, InvalidEventError, parse_event

NOW = 1_700_000_000.0

identifiers = st.one_of(
    st.text(min_size=0, max_size=3),
    st.sampled_from(["eve", " eve", "x" * 200, "x" * 201, "\x1ceve"]),
    st.none(),
)
fields = {
    "event_id": identifiers,
    "timestamp": st.sampled_from([NOW, 0.0, -1.0, 1e11, float("nan"), float("inf"), 7, "noon", True, None]),
    "user_id": identifiers,
    "request_id": identifiers,
    "content_id": identifiers,
    "creator_id": identifiers,
    "watch_duration": st.sampled_from([0.0, 3.5, 3, -1.0, 86_400.0, 86_401.0, float("nan"), "3", None]),
    "load_seconds": st.sampled_from([0.0, 0.4, 1, -1.0, float("inf"), None]),
    "long_view": st.sampled_from([True, False, 1, "yes", None]),
    "comment_text": st.sampled_from(["", "nice", " nice", "x" * 4_001, 7]),
    "platform": st.sampled_from(["", "web", "x" * 101]),
    "reason": st.sampled_from(["", "spam", "x" * 400, "x" * 501]),
    "mood": st.just("good"),
}
GOOD: dict[str, Any] = {
    "event_id": "e1",
    "timestamp": NOW,
    "user_id": "eve",
    "content_id": "cat",
    "creator_id": "ann",
    "watch_duration": 3.5,
}
NEEDED = {"follow": ("creator_id",), "unfollow": ("creator_id",), "view": ("content_id", "watch_duration")}


def good_event(event_type: str) -> dict[str, Any]:
    names = ("event_id", "timestamp", "user_id", *NEEDED.get(event_type, ("content_id",)))
    defaults = {"comment": "comment_text", "share": "platform", "report": "reason"}
    filled_in = {defaults[event_type]: ""} if event_type in defaults else {}
    return {"event_type": event_type, **{name: GOOD[name] for name in names}, **filled_in}


@given(
    st.sampled_from(EVENT_TYPES[:-1]), st.dictionaries(st.sampled_from(sorted(fields)), st.none()), st.data()
)
def test_what_is_recognized_is_exactly_what_validation_would_return(
    event_type: str, spoiled: dict[str, None], data: st.DataObject
) -> None:
    event = good_event(event_type) | {name: data.draw(fields[name], label=name) for name in spoiled}
    if recognized(event) is not None:
        assert parse_event(event) == event


@pytest.mark.parametrize("event_type", EVENT_TYPES[:-1])
def test_what_our_own_edge_writes_is_recognized(event_type: str) -> None:
    wire = parse_event(good_event(event_type))
    assert recognized(wire) is wire


@pytest.mark.parametrize("event_type", EVENT_TYPES[:-1])
def test_nothing_with_a_field_missing_is_recognized(event_type: str) -> None:
    wire = good_event(event_type)
    for name in wire:
        assert recognized({key: value for key, value in wire.items() if key != name}) is None


def test_an_event_without_an_id_is_named_by_its_content() -> None:
    nameless = {key: value for key, value in good_event("like").items() if key != "event_id"}
    first, again = (clean_event(nameless, now=NOW, settings=CleaningSettings()) for _ in range(2))
    other = clean_event({**nameless, "content_id": "dog"}, now=NOW, settings=CleaningSettings())
    assert first["event_id"] == again["event_id"] != other["event_id"]


def test_clock_skew_is_bounded_on_both_sides() -> None:
    bounds = CleaningSettings(max_seconds_behind=100.0)
    for timestamp, expected in ((NOW + 1, NOW), (NOW - 50, NOW - 50), (NOW - 101, NOW - 100)):
        event = good_event("like") | {"timestamp": timestamp}
        assert clean_event(event, now=NOW, settings=bounds)["timestamp"] == expected
        assert event["timestamp"] == timestamp


def test_a_broken_event_says_where_it_is_broken() -> None:
    with pytest.raises(InvalidEventError) as refused:
        clean_event(good_event("view") | {"watch_duration": -3}, now=NOW, settings=CleaningSettings())
    assert refused.value.field == "watch_duration"
