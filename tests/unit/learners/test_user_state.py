"""What a person's events leave in their state."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from learners.user_state import UserState
from learners.user_state_settings import DEFAULT_SETTINGS, UserStateSettings
from learners.watch_outcome import ContentTraits
from messages.codec import MalformedMessageError, pack, unpack
from messages.events import EVENT_TYPES
from messages.identifiers import key_of

START = 1_700_000_000.0
SMALL = UserStateSettings(
    max_history=4,
    max_liked=3,
    max_categories=3,
    max_latest_categories=3,
    max_creators=3,
    max_followed=3,
    max_hidden=2,
    max_blocked=2,
)


def traits_of(content_id: str, creator_id: str = "ann", category: str = "pets") -> ContentTraits:
    return ContentTraits(key_of(content_id), key_of(creator_id), key_of(category), 20.0)


class Person:
    def __init__(self, settings: UserStateSettings = DEFAULT_SETTINGS) -> None:
        self.state = UserState.empty("eve")
        self.settings = settings
        self.time = START

    def does(
        self, event_type: str, content_id: str | None = "cat", *, known: bool = True, **fields: Any
    ) -> UserState:
        event = {"event_type": event_type, **fields}
        if content_id is not None:
            event["content_id"] = content_id
        if event_type == "view":
            event.setdefault("watch_duration", 5.0)
        traits = traits_of(content_id) if known and content_id is not None else None
        self.state.apply(event, self.time, traits, self.settings)
        return self.state


def keys(*names: str) -> list[int]:
    return [key_of(name) for name in names]


def test_history_holds_what_was_watched_or_skipped_newest_last_and_once() -> None:
    eve = Person()
    eve.does("view", "cat")
    eve.does("skip", "dog")
    eve.does("like", "sea")
    state = eve.does("skip", "cat")
    assert state.history.tolist() == keys("dog", "cat")
    assert state.history_engaged.tolist() == [False, False]


def test_likes_saves_and_shares_are_remembered_until_hidden() -> None:
    eve = Person()
    for event_type, content in (("like", "cat"), ("save", "dog"), ("share", "sea"), ("like", "cat")):
        eve.does(event_type, content)
    assert eve.state.liked.tolist() == keys("dog", "sea", "cat")
    assert eve.does("hide", "sea").liked.tolist() == keys("dog", "cat")
    assert list(eve.state.hidden_contents) == keys("sea")


def test_follow_and_unfollow() -> None:
    eve = Person()
    eve.does("follow", None, creator_id="ann")
    eve.does("follow", None, creator_id="bob")
    assert set(eve.state.followed_creators) == set(keys("ann", "bob"))
    assert set(eve.does("unfollow", None, creator_id="ann").followed_creators) == set(keys("bob"))


def test_an_unfollowed_creator_is_blocked_until_followed_again() -> None:
    eve = Person()
    assert set(eve.does("unfollow", None, creator_id="ann").blocked_creators) == set(keys("ann"))
    assert not eve.does("follow", None, creator_id="ann").blocked_creators


def test_a_report_hides_the_content_and_blocks_its_creator_until_followed_again() -> None:
    eve = Person()
    state = eve.does("report", "cat")
    assert key_of("cat") in state.hidden_contents
    assert key_of("ann") in state.blocked_creators
    eve.does("follow", None, creator_id="ann")
    assert len(eve.state.blocked_creators) == 0


def test_a_report_of_an_orphan_hides_the_content_and_blocks_nobody() -> None:
    state = Person().does("report", "cat", known=False)
    assert key_of("cat") in state.hidden_contents
    assert len(state.blocked_creators) == 0


def test_preference_rises_with_wishes_and_falls_with_refusals() -> None:
    pets = key_of("pets")
    eve = Person()
    eve.does("like")
    eve.does("share")
    assert eve.state.categories[pets].preference == 3
    eve.does("skip")
    eve.does("hide")
    assert eve.state.categories[pets].preference == 0.5
    assert eve.state.creators[key_of("ann")].preference == 0.5


def test_rates_count_terminals_and_fade_with_their_half_lives() -> None:
    eve = Person()
    eve.does("view", "cat", watch_duration=19.0)
    eve.time += 600
    state = eve.does("skip", "dog")
    assert state.overall.terminals == pytest.approx(2, abs=0.01)
    assert state.recent.terminals == pytest.approx(1.5)
    assert state.recent.engaged == state.recent.long_views == pytest.approx(0.5)
    assert state.recent.last_time == eve.time


def test_what_is_liked_lately_fades_in_hours_and_the_long_run_does_not() -> None:
    eve = Person()
    eve.does("view", "cat", watch_duration=19.0)
    eve.time += DEFAULT_SETTINGS.latest_half_life_seconds
    state = eve.does("skip", "dog")
    lately, ever = state.latest_categories[key_of("pets")], state.categories[key_of("pets")]
    assert (lately.terminals, lately.engaged) == (pytest.approx(1.5), pytest.approx(0.5))
    assert ever.terminals == pytest.approx(2, abs=0.02)


def test_a_state_from_before_there_were_latest_categories_has_none() -> None:
    state = Person().does("view", "cat")
    older = UserState.from_bytes(pack(unpack(state.to_bytes())[:15]))
    assert len(older.latest_categories) == 0
    assert list(older.categories) == list(state.categories)


def test_an_orphan_moves_what_does_not_need_the_content() -> None:
    state = Person().does("view", "cat", known=False)
    assert state.history.tolist() == keys("cat")
    assert state.overall.terminals == 1
    assert len(state.categories) == len(state.creators) == 0


def test_a_complete_view_right_after_the_view_is_the_same_watching() -> None:
    eve = Person()
    eve.does("view", "cat")
    state = eve.does("complete_view", "cat")
    assert (state.num_contents, state.overall.terminals) == (1, 1)
    assert eve.does("complete_view", "dog").num_contents == 2


def test_thirty_quiet_minutes_end_a_session_even_if_days_lie_between() -> None:
    eve = Person()
    eve.does("view", "cat")
    eve.time += 1_800
    eve.does("view", "dog")
    assert (eve.state.num_sessions, eve.state.session_contents) == (1, 2)
    eve.time += 2 * 86_400 + 60  # timedelta.seconds of this is 60
    state = eve.does("view", "sea")
    assert (state.num_sessions, state.session_contents, state.num_contents) == (2, 1, 3)
    assert state.session_seconds == state.average_session_seconds == 1_800
    assert state.average_session_contents == 2
    assert state.session_started == state.last_event_time == eve.time


def test_a_late_event_moves_no_session() -> None:
    eve = Person()
    eve.does("view", "cat")
    eve.time -= 10_000
    state = eve.does("view", "dog")
    assert (state.num_sessions, state.session_started, state.last_event_time) == (1, START, START)


def test_everything_is_bounded_and_forgets_the_oldest() -> None:
    eve = Person(SMALL)
    for number in range(10):
        name = str(number)
        eve.time += 1
        for event_type in ("view", "like", "hide"):
            event = {"event_type": event_type, "content_id": name, "watch_duration": 1.0}
            eve.state.apply(event, eve.time, traits_of(name, name, name), SMALL)
        eve.does("follow", None, creator_id=name)
    state = eve.state
    assert state.history.tolist() == keys("6", "7", "8", "9")
    assert list(state.categories) == list(state.creators) == keys("7", "8", "9")
    assert list(state.latest_categories) == keys("7", "8", "9")
    assert list(state.followed_creators) == keys("7", "8", "9")
    assert list(state.hidden_contents) == keys("8", "9")


def test_a_state_with_full_history_takes_a_few_kilobytes() -> None:
    eve = Person()
    for number in range(200):
        event = {"event_type": "view", "content_id": str(number), "watch_duration": 1.0}
        eve.state.apply(event, START + number, traits_of(str(number), f"c{number}", f"k{number}"))
    assert len(eve.state.to_bytes()) < 8_000


events = st.tuples(
    st.sampled_from(EVENT_TYPES[:-1]),
    st.integers(0, 6),
    st.floats(-2_000, 4_000),
    st.booleans(),
)


@given(st.lists(events, max_size=40), st.integers(0, 40))
def test_storing_and_loading_in_between_changes_nothing(course: list[Any], stored_after: int) -> None:
    kept, reloaded = UserState.empty("eve"), UserState.empty("eve")
    time = START
    for number, (event_type, name, seconds, known) in enumerate(course):
        time += seconds
        event = {"event_type": event_type, "content_id": str(name), "watch_duration": 5.0 * name}
        if event_type in ("follow", "unfollow"):
            event["creator_id"] = str(name % 3)
        traits = traits_of(str(name), str(name % 3), str(name % 2)) if known else None
        if number == stored_after:
            reloaded = UserState.from_bytes(reloaded.to_bytes())
        kept.apply(event, time, traits, SMALL)
        reloaded.apply(event, time, traits, SMALL)
    assert kept.to_bytes() == reloaded.to_bytes()
    read = UserState.from_bytes(kept.to_bytes())
    assert read.history.tolist() == kept.history.tolist()
    assert dict(read.categories) == dict(kept.categories)


@pytest.mark.parametrize(
    "data", [b"", b"\x93", pack([]), pack([99] * 14), pack([1] * 14), pack([1, "eve", b"123", *[b""] * 11])]
)
def test_bytes_that_are_no_state_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedMessageError):
        UserState.from_bytes(data)
