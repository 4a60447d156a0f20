"""The impressions of one partition that events may still belong to: those of the last ten minutes, say."""

from __future__ import annotations

from dataclasses import dataclass, field

from learners.replayed_features import KnownFeatures
from learners.watch_outcome import ContentTraits
from messages.identifiers import MISSING_KEY, key_of
from messages.impressions import Impression


@dataclass(slots=True, eq=False)
class OpenSlate:
    """One impression, waiting for events.

    opened: stream time of its record. clock_position: the FEED position that had set the stream time then.
    places: content key -> place, the first where a slate shows a content twice. features: as served, or what
    they will be assembled from; None after a restart where the person's join state holds them.
    """

    impression: Impression
    request_key: int
    opened: float
    clock_position: int
    places: dict[int, int]
    features: KnownFeatures | None

    @classmethod
    def of(cls, impression: Impression, opened: float, clock_position: int) -> OpenSlate:
        keys = impression.contents.content_keys[::-1].tolist()
        return cls(
            impression=impression,
            request_key=key_of(impression.request_id),
            opened=opened,
            clock_position=clock_position,
            places=dict(zip(keys, range(len(keys) - 1, -1, -1), strict=True)),
            features=impression.features,
        )

    @property
    def creators(self) -> list[int]:
        """Their keys, by place."""
        creators: list[int] = self.impression.contents.creator_keys.tolist()
        return creators

    def traits(self, place: int) -> ContentTraits:
        contents = self.impression.contents
        return ContentTraits(
            contents.content_keys.item(place),
            contents.creator_keys.item(place),
            contents.category_keys.item(place),
            contents.durations.item(place),
        )

    def places_of_creator(self, creator_key: int) -> list[int]:
        return [place for place, key in enumerate(self.creators) if key == creator_key]


@dataclass(slots=True)
class _Slates:
    """The open slates of one person: by request (oldest first), and the latest by content and creator."""

    by_request: dict[int, OpenSlate] = field(default_factory=dict)
    by_content: dict[int, OpenSlate] = field(default_factory=dict)
    by_creator: dict[int, OpenSlate] = field(default_factory=dict)


class OpenImpressions:
    """Which impressions are open is a function of the last `horizon` seconds of the stream alone.

    So a new joiner that reads the stream from `replay_from` knows the same ones.
    horizon: seconds of stream time. max_per_user: over it, a person's oldest is closed.
    """

    def __init__(self, horizon: float, max_per_user: int) -> None:
        self._horizon = horizon
        self._max_per_user = max_per_user
        self._in_order: dict[tuple[str, int], OpenSlate] = {}
        self._users: dict[str, _Slates] = {}

    def __len__(self) -> int:
        return len(self._in_order)

    @property
    def oldest(self) -> OpenSlate | None:
        return next(iter(self._in_order.values()), None)

    def open(self, slate: OpenSlate) -> None:
        """Add a slate, opened no earlier than any before; one with a known request id replaces the old."""
        user_id, request_key = slate.impression.user_id, slate.request_key
        self._close(user_id, request_key)
        slates = self._users.setdefault(user_id, _Slates())
        if len(slates.by_request) >= self._max_per_user:
            self._close(user_id, next(iter(slates.by_request)))
            slates = self._users.setdefault(user_id, _Slates())
        self._in_order[user_id, request_key] = slate
        slates.by_request[request_key] = slate
        slates.by_content.update(dict.fromkeys(slate.places, slate))
        slates.by_creator.update(dict.fromkeys(slate.creators, slate))
        slates.by_creator.pop(MISSING_KEY, None)

    def expire(self, now: float) -> None:
        """Close what was opened more than the horizon before `now`."""
        while (oldest := self.oldest) is not None and now - oldest.opened > self._horizon:
            self._close(oldest.impression.user_id, oldest.request_key)

    def requests_of(self, user_id: str) -> dict[int, OpenSlate]:
        """Return a person's open slates by request key, the oldest first; not to be changed."""
        slates = self._users.get(user_id)
        return {} if slates is None else slates.by_request

    def latest_with_content(self, user_id: str, content_key: int) -> OpenSlate | None:
        slates = self._users.get(user_id)
        return None if slates is None else slates.by_content.get(content_key)

    def latest_with_creator(self, user_id: str, creator_key: int) -> OpenSlate | None:
        slates = self._users.get(user_id)
        return None if slates is None else slates.by_creator.get(creator_key)

    def _close(self, user_id: str, request_key: int) -> None:
        slate = self._in_order.pop((user_id, request_key), None)
        if slate is None:
            return
        slates = self._users[user_id]
        del slates.by_request[request_key]
        if not slates.by_request:
            del self._users[user_id]
            return
        for latest, keys in ((slates.by_content, slate.places), (slates.by_creator, set(slate.creators))):
            for key in keys:
                if latest.get(key) is slate:
                    del latest[key]
