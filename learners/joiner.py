"""FEED to EXAMPLES: one partition's events, each put to the impression that caused it.

What comes out is a function of the partition's prefix alone: nothing is looked up, the clock is the stream's,
and neither how the prefix was cut into messages and releases nor a restart shows in a row.

A driver calls, for every message, `missing_users`, `load_users` with what the store has of them, and
`accept`; then `release` when it wants to append. A new joiner is first given, with `recall`, the messages
from `replay_from` up to the position of the states in the store.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from learners.attribution import cause_of
from learners.cleaning import CleaningSettings, within_bounds
from learners.example_builder import ExampleBuilder
from learners.feature_shape import SERVED_SHAPE, FeatureShape
from learners.features.assembly import assemble
from learners.feed_records import CleanedRecord, cleaned_records
from learners.labels import labels_of
from learners.open_impressions import OpenImpressions, OpenSlate
from learners.people import People, Person, StoredStates
from learners.release import DeadLetter, JoinerCounts, Release
from learners.replayed_features import FeatureAssembler, replayed_features
from learners.stream_clock import StreamClock
from learners.user_state_settings import UserStateSettings
from learners.watch_outcome import WatchOutcome, judged_watching
from messages.content import ContentFacts
from messages.events import TERMINAL_EVENT_TYPES, InvalidEventError
from messages.feed import FeedMessage
from messages.identifiers import DEFAULT_NUM_PARTITIONS, MISSING_KEY, key_of
from messages.impressions import Impression

__all__ = ["DeadLetter", "FeatureAssembler", "JoinerSettings", "PartitionJoiner", "Release"]


class JoinerSettings(BaseModel):
    """horizon_seconds: join window, allowed lateness and duplicate horizon in one, of stream time.

    influence_cap: so many events of one person in a window of `horizon_seconds` train models and move content
    counters; more are accepted and change the person's own state alone. No thumb makes ten a second.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    num_partitions: int = Field(default=DEFAULT_NUM_PARTITIONS, ge=1)
    horizon_seconds: float = Field(default=600.0, gt=0)
    max_open_per_user: int = Field(default=64, ge=1)
    max_recent_events_per_user: int = Field(default=20_000, ge=1)
    influence_cap: int = Field(default=6_000, ge=1)
    cleaning: CleaningSettings = CleaningSettings()
    user_state: UserStateSettings = UserStateSettings()


class PartitionJoiner:
    """Not for several threads.

    partition: of FEED. writer: names this incarnation in what it releases. known_states: users loaded from
    the start. assemble: computes the features of replayed impressions; shape: what served ones must bring.
    """

    def __init__(
        self,
        partition: int,
        settings: JoinerSettings,
        writer: str,
        known_states: StoredStates | None = None,
        *,
        assemble: FeatureAssembler = assemble,
        shape: FeatureShape = SERVED_SHAPE,
    ) -> None:
        self._partition = partition
        self._settings = settings
        self._writer = writer
        self._assemble = assemble
        self._shape = shape
        self._clock = StreamClock()
        self._open = OpenImpressions(settings.horizon_seconds, settings.max_open_per_user)
        self._people = People()
        self._people.load(known_states or {}, now=0.0)
        self._builder = ExampleBuilder()
        self._counts = JoinerCounts()
        self._cleaned: dict[int, tuple[FeedMessage, list[CleanedRecord]]] = {}
        """By the id of the message object: what `missing_users` has cleaned and nobody has accepted yet."""
        self._released_to = 0
        self._replay_from: int | None = None
        """How far back a new joiner must read to stand where this one stood at its last release."""

    def missing_users(self, message: FeedMessage) -> list[str]:
        """Return whose stored states `accept` of this message needs, each once."""
        missing: dict[str, None] = {}
        for record in self._clean(message):
            if record.needs_state and record.owner_id not in self._people:
                missing[record.owner_id] = None
        return list(missing)

    def load_users(self, stored: StoredStates) -> None:
        """Take in states from the store; (None, None) for somebody it does not know."""
        self._people.load(stored, self._clock.now)

    def recall(self, message: FeedMessage, *, position: int, append_time: float) -> None:
        """Register the impressions of a message that was accepted before a restart, and nothing else."""
        if self._replay_from is not None:
            raise ValueError("messages are recalled before the first is accepted")
        now = self._clock.advance(message.log_time, append_time, position)
        self._open.expire(now)
        for record in self._take_cleaned(message):
            if isinstance(record.body, Impression):
                self._open.open(OpenSlate.of(record.body, now, self._clock.set_at))

    def accept(self, message: FeedMessage, *, position: int, append_time: float) -> list[DeadLetter]:
        """Take in one message: move states, collect rows; return what had to be refused.

        position: its FEED sequence, above all before (else ValueError). append_time: epoch seconds, the
        broker's. Raises LookupError if `missing_users` were not loaded; nothing has changed then.
        """
        if missing := self.missing_users(message):
            raise LookupError(f"users {missing[:3]} are not loaded: ask missing_users and load_users first")
        if self._replay_from is None:
            self._replay_from = self._needed_from() or position
        now = self._clock.advance(message.log_time, append_time, position)
        self._open.expire(now)
        dead_letters = []
        for record in self._take_cleaned(message):
            if isinstance(record.body, InvalidEventError):
                dead_letters.append(DeadLetter(str(record.body), record.raw, position))
            elif isinstance(record.body, Impression):
                self._take_impression(record.body, now)
            else:
                self._take_event(record.owner_id, record.body, now)
        self._counts.dead_letters += len(dead_letters)
        return dead_letters

    def release(self) -> Release | None:
        """Return everything since the last release; None if no message was accepted since.

        A release without rows and without states need not be appended: the next one covers its messages too.
        """
        if self._replay_from is None or self._released_to == self._clock.position:
            return None
        release = Release(
            writer=self._writer,
            batch=self._builder.build(),
            feed_position=self._clock.position,
            watermark=self._clock.now,
            replay_from=self._replay_from,
            states=self._people.release(),
        )
        self._released_to = self._clock.position
        self._replay_from = self._needed_from()
        if not self._cleaned:  # else their users are loaded already, and must stay
            self._people.forget_idle(self._clock.now - self._settings.horizon_seconds)
        return release

    def statistics(self) -> dict[str, int]:
        """Return the counts so far, and how many impressions and persons are held now."""
        return {**asdict(self._counts), "open_impressions": len(self._open), "people": len(self._people)}

    def _clean(self, message: FeedMessage) -> list[CleanedRecord]:
        """Clean a message once, although `missing_users` and `accept` both need it."""
        cleaned = self._cleaned.get(id(message))
        if cleaned is None:
            records = cleaned_records(message, self._partition, self._settings.num_partitions, self._shape)
            cleaned = self._cleaned[id(message)] = (message, records)
        return cleaned[1]

    def _take_cleaned(self, message: FeedMessage) -> list[CleanedRecord]:
        records = self._clean(message)
        del self._cleaned[id(message)]
        return records

    def _needed_from(self) -> int:
        """Return from where a new joiner must read to know the clock and every open impression as of now."""
        oldest = self._open.oldest
        return self._clock.set_at if oldest is None else oldest.clock_position

    def _take_impression(self, impression: Impression, now: float) -> None:
        self._counts.impressions += 1
        slate = OpenSlate.of(impression, now, self._clock.set_at)
        self._open.open(slate)
        if slate.features is None:
            user_id = impression.user_id
            person = self._people[user_id]
            moment = min(impression.timestamp, now)
            slate.features = replayed_features(self._assemble, impression, person.state, moment)
            person.join.keep_features(slate.request_key, slate.features, self._open.requests_of(user_id))
            self._people.mark_changed(user_id, person, now)

    def _take_event(self, owner_id: str, event: dict[str, Any], now: float) -> None:
        settings = self._settings
        person = self._people[owner_id]
        self._people.mark_changed(owner_id, person, now)
        event_key = key_of(event["event_id"])
        if person.join.see(event_key, now, settings.horizon_seconds, settings.max_recent_events_per_user):
            self._counts.duplicates += 1
            return
        event = within_bounds(event, now, settings.cleaning)
        self._counts.events += 1
        self._counts.late += event["timestamp"] < now - settings.horizon_seconds
        if event["event_type"] == "content_upload":
            self._counts.uploads += 1
            self._builder.add_upload(ContentFacts.from_upload(event), key_of(event["content_id"]), person.key)
        else:
            capped = not person.join.has_influence_left(now, settings.horizon_seconds, settings.influence_cap)
            self._take_user_event(owner_id, person, event, capped)

    def _take_user_event(self, user_id: str, person: Person, event: dict[str, Any], capped: bool) -> None:
        content_id, creator_id = event.get("content_id"), event.get("creator_id")
        content_key = key_of(content_id) if content_id else MISSING_KEY
        creator_key = key_of(creator_id) if creator_id else MISSING_KEY
        found = cause_of(event, content_key, creator_key, self._open, user_id, person.join)
        traits = None
        if found is not None:
            traits = found[0].traits(found[1])
            content_key = traits.content_key
            creator_key = creator_key or traits.creator_key
        outcome = None
        if event["event_type"] in TERMINAL_EVENT_TYPES:
            event, outcome = judged_watching(event, float("nan") if traits is None else traits.duration)
        long_view = outcome is not None and outcome.long_view
        if capped:
            self._counts.capped += 1
            self._builder.add(event, person.key, MISSING_KEY, MISSING_KEY, long_view)  # counts for no content
        else:
            self._builder.add(event, person.key, content_key, creator_key, long_view)
            self._label(person, event, outcome, found)
        person.state.apply(event, event["timestamp"], traits, self._settings.user_state)

    def _label(
        self,
        person: Person,
        event: dict[str, Any],
        outcome: WatchOutcome | None,
        cause: tuple[OpenSlate, int] | None,
    ) -> None:
        if cause is None:
            self._counts.orphans += 1
            return
        self._counts.joined += 1
        slate, place = cause
        marks = person.join.marks_of(slate.request_key, place)
        labels, after = labels_of(event["event_type"], outcome, marks)
        if after != marks:
            requests = self._open.requests_of(slate.impression.user_id)
            person.join.set_marks(slate.request_key, place, after, requests)
        self._builder.join(event, slate, place, labels)
