"""What the joiner must remember of a person to treat the next event exactly as if it had never stopped."""

from __future__ import annotations

import struct
from collections.abc import Container

from learners.compact_features import pack_features, unpack_features
from learners.features.person_snapshot import MARK, PersonSnapshot
from learners.packed_keys import pack_keys, unpack_keys
from learners.replayed_features import KnownFeatures
from messages.codec import MalformedMessageError, pack, unpack
from messages.features import FeatureBatch

JOIN_STATE_FORMAT = 2
_FORMAT_WITHOUT_WINDOW = 1


class JoinState:
    """The recent event ids of one person, and what their open impressions have taught already.

    recent: 64-bit event key -> stream time of its last sighting, oldest sighting first. marks: request key ->
    place in the slate -> marks (`learners/labels.py`), in order of the first event at each. features: request
    key -> features of an open impression that came without (a replay), or what they are assembled from: they
    tell of the state before it, which is gone. Besides, how many events the current window has had.
    """

    __slots__ = ("_features", "_marks", "_num_in_window", "_recent", "_window")

    def __init__(self) -> None:
        self._recent: dict[int, float] = {}
        self._marks: dict[int, dict[int, int]] = {}
        self._features: dict[int, KnownFeatures | bytes] = {}
        self._window = 0
        self._num_in_window = 0

    def see(self, event_key: int, now: float, horizon: float, max_events: int) -> bool:
        """Note that an event came and say whether it had come before, within `horizon` seconds of `now`.

        Every sighting counts anew, so that an event repeated again and again never gets through. Over
        `max_events` the oldest sighting is forgotten.
        """
        recent = self._recent
        last = recent.pop(event_key, None)
        recent[event_key] = now
        oldest = next(iter(recent))
        while now - recent[oldest] > horizon or len(recent) > max_events:
            del recent[oldest]
            oldest = next(iter(recent))
        return last is not None and now - last <= horizon

    def has_influence_left(self, now: float, window: float, max_events: int) -> bool:
        """Count one more accepted event and say whether it is among the first `max_events` of its window.

        Windows are stretches of `window` seconds of stream time that begin at multiples of it.
        """
        number = int(now // window)
        if number != self._window:
            self._window, self._num_in_window = number, 0
        self._num_in_window += 1
        return self._num_in_window <= max_events

    def marks_of(self, request_key: int, place: int) -> int:
        places = self._marks.get(request_key)
        return 0 if places is None else places.get(place, 0)

    def places_marked(self, request_key: int) -> list[int]:
        """Return the places of a slate that had events, in the order of their first."""
        return list(self._marks.get(request_key, ()))

    def set_marks(self, request_key: int, place: int, marks: int, open_requests: Container[int]) -> None:
        """Remember what a place has taught; what slates have taught that are open no more is forgotten."""
        places = self._marks.get(request_key)
        if places is None:
            for closed in [key for key in self._marks if key not in open_requests]:
                del self._marks[closed]
            places = self._marks[request_key] = {}
        places[place] = marks

    def keep_features(self, request_key: int, features: KnownFeatures, open_requests: Container[int]) -> None:
        """Keep the features of a replayed impression as long as it is open."""
        for closed in [key for key in self._features if key not in open_requests]:
            del self._features[closed]
        self._features[request_key] = features

    def features_of(self, request_key: int) -> KnownFeatures | None:
        """Return what `keep_features` was given."""
        features = self._features.get(request_key)
        if isinstance(features, bytes):
            snapshot = features.startswith(MARK)
            return PersonSnapshot.from_bytes(features) if snapshot else unpack_features(features)
        return features

    def to_bytes(self) -> bytes:
        for request_key, features in self._features.items():
            if isinstance(features, PersonSnapshot):
                self._features[request_key] = features.to_bytes()
            elif isinstance(features, FeatureBatch):
                self._features[request_key] = pack_features(features)
        marks = [
            (request_key, place, bits)
            for request_key, places in self._marks.items()
            for place, bits in places.items()
        ]
        return pack(
            [
                JOIN_STATE_FORMAT,
                pack_keys(self._recent),
                struct.pack(f"<{len(self._recent)}d", *self._recent.values()),
                marks,
                list(self._features.items()),
                [self._window, self._num_in_window],
            ]
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> JoinState:
        """Decode what `to_bytes` made. Raises MalformedMessageError."""
        wire = unpack(data)
        if isinstance(wire, list) and len(wire) == 5 and wire[0] == _FORMAT_WITHOUT_WINDOW:
            wire = [JOIN_STATE_FORMAT, *wire[1:], [0, 0]]
        if not isinstance(wire, list) or len(wire) != 6 or wire[0] != JOIN_STATE_FORMAT:
            raise MalformedMessageError(f"not a join state of format {JOIN_STATE_FORMAT}")
        join = cls()
        try:
            keys = unpack_keys(wire[1])
            join._recent = dict(zip(keys, struct.unpack(f"<{len(keys)}d", wire[2]), strict=True))
            for request_key, place, bits in wire[3]:
                join._marks.setdefault(request_key, {})[place] = bits
            join._features = dict(wire[4])
            join._window, join._num_in_window = wire[5]
        except (TypeError, ValueError, struct.error) as error:
            raise MalformedMessageError(f"not a join state: {error}") from error
        return join
