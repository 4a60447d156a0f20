"""What a person's past events say about them: written by the joiner, read by features and by serving.

A pure function of the person's accepted events in stream order. Bounded everywhere: the store holds one for
every person, and a request decodes one.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Set
from typing import Any

import numpy as np

from learners.bounded_memory import remember
from learners.decayed_rates import DecayedRates, RatesByKey
from learners.load_times import LoadTimes
from learners.packed_keys import pack_keys, unpack_keys
from learners.user_state_settings import DEFAULT_SETTINGS, PREFERENCE_WEIGHTS, UserStateSettings
from learners.watch_outcome import ContentTraits, watch_outcome
from messages.arrays import BoolArray, IdArray
from messages.codec import MalformedMessageError, pack, unpack
from messages.events import TERMINAL_EVENT_TYPES
from messages.identifiers import MISSING_KEY, key_of

__all__ = [
    "DEFAULT_SETTINGS",
    "ContentTraits",
    "DecayedRates",
    "RatesByKey",
    "UserState",
    "UserStateSettings",
]

STATE_FORMAT = 1


class UserState:
    """One person as the events tell it. Only `apply` changes anything.

    overall, recent: DecayedRates over everything, with the long and with the short half-life. categories,
    creators: the same by key, long; latest_categories: with one of hours. session_started, last_event_time:
    epoch seconds, 0 before the first event. num_sessions: begun so far, the open one too. session_seconds:
    the closed sessions' total. session_contents: watchings ended in the open one; num_contents: ever.
    """

    __slots__ = (
        "_blocked", "_followed", "_hidden", "_history", "_liked", "categories", "creators", "last_event_time",
        "latest_categories", "loads", "num_contents", "num_sessions", "overall", "recent", "session_contents",
        "session_seconds", "session_started", "user_id",
    )  # fmt: skip

    def __init__(self, user_id: str) -> None:
        self.user_id = user_id
        # Dicts in place of lists and sets: they keep the order of arrival, and so a state its bytes.
        self._history: dict[int, bool] = {}
        self._liked: dict[int, None] = {}
        self._followed: dict[int, None] = {}
        self._blocked: dict[int, None] = {}
        self._hidden: dict[int, None] = {}
        self.categories = RatesByKey()
        self.creators = RatesByKey()
        self.latest_categories = RatesByKey()
        self.overall = DecayedRates()
        self.recent = DecayedRates()
        self.session_started = 0.0
        self.last_event_time = 0.0
        self.num_sessions = 0
        self.session_seconds = 0.0
        self.session_contents = 0
        self.num_contents = 0
        self.loads = LoadTimes()

    @classmethod
    def empty(cls, user_id: str) -> UserState:
        """Return the state of a person of whom nothing is known."""
        return cls(user_id)

    @property
    def history(self) -> IdArray:
        """Contents watched or skipped last, uint64 [h], newest last, each once."""
        return np.fromiter(self._history, dtype=np.uint64, count=len(self._history))

    @property
    def history_engaged(self) -> BoolArray:
        """Beside `history`: viewed, not skipped; bool [h]."""
        return np.fromiter(self._history.values(), dtype=np.bool_, count=len(self._history))

    @property
    def engagements(self) -> Mapping[int, bool]:
        """`history` as a mapping: content key -> viewed, not skipped."""
        return self._history

    @property
    def liked_contents(self) -> Set[int]:
        return self._liked.keys()

    @property
    def liked(self) -> IdArray:
        """Contents liked, saved or shared last, uint64 [l], newest last."""
        return np.fromiter(self._liked, dtype=np.uint64, count=len(self._liked))

    @property
    def followed_creators(self) -> Set[int]:
        return self._followed.keys()

    @property
    def blocked_creators(self) -> Set[int]:
        """Creators whom this person unfollowed, or one of whose contents they reported, and has not followed
        since."""
        return self._blocked.keys()

    @property
    def hidden_contents(self) -> Set[int]:
        """Contents that this person hid or reported."""
        return self._hidden.keys()

    @property
    def average_session_seconds(self) -> float:
        """Mean length of the closed sessions, 0 before the first has closed."""
        closed = self.num_sessions - 1
        return self.session_seconds / closed if closed > 0 else 0.0

    @property
    def average_session_contents(self) -> float:
        """Mean number of contents watched or skipped in a closed session, 0 before the first has closed."""
        closed = self.num_sessions - 1
        return (self.num_contents - self.session_contents) / closed if closed > 0 else 0.0

    def apply(
        self,
        event: Mapping[str, Any],
        time: float,
        content: ContentTraits | None,
        settings: UserStateSettings = DEFAULT_SETTINGS,
    ) -> None:
        """Take in one cleaned event of this person.

        time: the event's, epoch seconds, not ahead of the stream's. content: what the impression said about
        the event's content, None for an orphan, whose category and creator stay unknown.
        """
        self._advance_session(time, settings.session_gap_seconds)
        event_type: str = event["event_type"]
        content_id = event.get("content_id")
        if content is not None:
            content_key, creator_key, category_key, duration = content
        else:
            content_key = key_of(content_id) if content_id else MISSING_KEY
            creator_key = category_key = MISSING_KEY
            duration = float("nan")
        if "creator_id" in event:
            creator_key = key_of(event["creator_id"])
        terminals = engaged = long_views = 0.0
        if event_type in TERMINAL_EVENT_TYPES:
            outcome = watch_outcome(event, duration)
            if "load_seconds" in event:
                self.loads.add(event["load_seconds"])
            if not (event_type == "complete_view" and self._is_newest(content_key)):
                # Else the player told of one watching twice, as a view and as a complete one.
                terminals, engaged, long_views = 1.0, float(outcome.engaged), float(outcome.long_view)
                self.session_contents += 1
                self.num_contents += 1
            remember(self._history, content_key, outcome.engaged, settings.max_history)
        else:
            self._take_in_wish(event_type, content_key, creator_key, settings)
        sums = (terminals, engaged, long_views, PREFERENCE_WEIGHTS.get(event_type, 0.0))
        half_life = settings.half_life_seconds
        self.overall.add(time, half_life, *sums)
        self.recent.add(time, settings.recent_half_life_seconds, *sums)
        if category_key != MISSING_KEY:
            self.categories.add(category_key, settings.max_categories, time, half_life, *sums)
            latest = settings.max_latest_categories, time, settings.latest_half_life_seconds, *sums
            self.latest_categories.add(category_key, *latest)
        if creator_key != MISSING_KEY:
            self.creators.add(creator_key, settings.max_creators, time, half_life, *sums)

    def _take_in_wish(
        self, event_type: str, content_key: int, creator_key: int, settings: UserStateSettings
    ) -> None:
        if event_type in ("like", "save", "share"):
            remember(self._liked, content_key, None, settings.max_liked)
        elif event_type == "follow":
            self._blocked.pop(creator_key, None)
            remember(self._followed, creator_key, None, settings.max_followed)
        elif event_type == "unfollow":
            self._followed.pop(creator_key, None)
            remember(self._blocked, creator_key, None, settings.max_blocked)
        elif event_type in ("hide", "report"):
            self._liked.pop(content_key, None)
            remember(self._hidden, content_key, None, settings.max_hidden)
            if event_type == "report" and creator_key != MISSING_KEY:
                remember(self._blocked, creator_key, None, settings.max_blocked)

    def _advance_session(self, time: float, gap: float) -> None:
        """Thirty quiet minutes end a session (specification, section 2.3); a late event moves nothing."""
        if self.num_sessions == 0 or time - self.last_event_time > gap:
            if self.num_sessions > 0:
                self.session_seconds += self.last_event_time - self.session_started
            self.num_sessions += 1
            self.session_started = time
            self.session_contents = 0
            self.last_event_time = time
        elif time > self.last_event_time:
            self.last_event_time = time

    def _is_newest(self, content_key: int) -> bool:
        return bool(self._history) and next(reversed(self._history)) == content_key

    def to_bytes(self) -> bytes:
        return pack(
            [
                STATE_FORMAT,
                self.user_id,
                pack_keys(self._history),
                bytes(self._history.values()),
                *(pack_keys(keys) for keys in (self._liked, self._followed, self._blocked, self._hidden)),
                self.categories.to_wire(),
                self.creators.to_wire(),
                self.overall.as_tuple(),
                self.recent.as_tuple(),
                [self.session_started, self.last_event_time, self.num_sessions, self.session_seconds],
                [self.session_contents, self.num_contents],
                self.loads.as_tuple(),
                self.latest_categories.to_wire(),
            ]
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> UserState:
        """Decode what `to_bytes` made. Raises MalformedMessageError."""
        wire = unpack(data)
        if not isinstance(wire, list) or not 14 <= len(wire) <= 16 or wire[0] != STATE_FORMAT:
            raise MalformedMessageError(f"not a user state of format {STATE_FORMAT}")
        try:
            state = cls(wire[1])
            state._history = dict(zip(unpack_keys(wire[2]), map(bool, wire[3]), strict=True))
            state._liked, state._followed, state._blocked, state._hidden = (
                dict.fromkeys(unpack_keys(keys)) for keys in wire[4:8]
            )
            state.categories = RatesByKey.from_wire(wire[8])
            state.creators = RatesByKey.from_wire(wire[9])
            state.overall = DecayedRates(*wire[10])
            state.recent = DecayedRates(*wire[11])
            state.session_started, state.last_event_time, state.num_sessions, state.session_seconds = wire[12]
            state.session_contents, state.num_contents = wire[13]
            state.loads = LoadTimes(*wire[14]) if len(wire) > 14 else LoadTimes()  # older states end earlier
            state.latest_categories = RatesByKey.from_wire(wire[15]) if len(wire) > 15 else RatesByKey()
        except (TypeError, ValueError, struct.error) as error:
            raise MalformedMessageError(f"not a user state: {error}") from error
        return state
