"""Events and impressions from FEED, validated once more: FEED is open to foreign publishers.

What our own HTTP edge wrote is recognized in about a microsecond and passes as it is. Everything else goes
through pydantic, which mends what can be mended (times as text or in milliseconds, blanks around ids, a
missing event id) and refuses the rest with the field and the reason (specification, section 2.3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from messages.events import EVENT_TYPES, MAX_ID_LENGTH, MAX_TEXT_LENGTH, parse_event


class CleaningSettings(BaseModel):
    """max_seconds_behind: an event time further behind the stream's than this is a wrong clock; it is moved
    up to this far."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_seconds_behind: float = Field(default=86_400.0, gt=0)


def clean_event(raw: object, *, now: float, settings: CleaningSettings) -> dict[str, Any]:
    """Return the wire map of one event, its time within bounds. Raises InvalidEventError.

    now: stream time, epoch seconds.
    """
    return within_bounds(recognized(raw) or parse_event(raw), now, settings)


def within_bounds(event: dict[str, Any], now: float, settings: CleaningSettings) -> dict[str, Any]:
    """Bound clock skew: no event is ahead of the stream, and none very far behind."""
    timestamp = event["timestamp"]
    if timestamp > now:
        return {**event, "timestamp": now}
    if timestamp < now - settings.max_seconds_behind:
        return {**event, "timestamp": now - settings.max_seconds_behind}
    return event


def recognized(raw: object) -> dict[str, Any] | None:
    """Return an event as it is where `parse_event` would return an equal map; None where that must decide."""
    if type(raw) is not dict:
        return None
    event_type = raw.get("event_type")
    if type(event_type) is not str or event_type not in _FIELDS:
        return None
    fields = _FIELDS[event_type]
    num_required = 0
    for name, value in raw.items():
        field = fields.get(name)
        if field is None or not field[0](value):
            return None
        num_required += field[1]
    return raw if num_required == _NUM_REQUIRED[event_type] else None


def _is_identifier(value: object) -> bool:
    return type(value) is str and 0 < len(value) <= MAX_ID_LENGTH and value == value.strip()


def _is_text(value: object) -> bool:
    return type(value) is str and len(value) <= MAX_TEXT_LENGTH and value == value.strip()


def _is_short_text(value: object) -> bool:
    return type(value) is str and len(value) <= 100 and value == value.strip()


def _is_timestamp(value: object) -> bool:
    return type(value) is float and 0 < value < 1e11


def _is_seconds(value: object) -> bool:
    return type(value) is float and 0 <= value <= 86_400


def _is_flag(value: object) -> bool:
    return type(value) is bool


_Field = tuple[Callable[[object], bool], int]
"""The check of a field's value, and 1 where the field must be there (pydantic would fill a default in)."""

_COMMON: Mapping[str, _Field] = {
    "event_type": (_is_identifier, 1),
    "event_id": (_is_identifier, 1),
    "timestamp": (_is_timestamp, 1),
    "user_id": (_is_identifier, 1),
    "request_id": (_is_identifier, 0),
}
_CONTENT: Mapping[str, _Field] = {**_COMMON, "content_id": (_is_identifier, 1)}
_TERMINAL: Mapping[str, _Field] = {
    **_CONTENT,
    "watch_duration": (_is_seconds, 0),
    "long_view": (_is_flag, 0),
    "load_seconds": (_is_seconds, 0),
}
_CREATOR: Mapping[str, _Field] = {**_COMMON, "creator_id": (_is_identifier, 1)}

_FIELDS: Mapping[str, Mapping[str, _Field]] = {
    "view": {**_TERMINAL, "watch_duration": (_is_seconds, 1)},
    "complete_view": _TERMINAL,
    "skip": _TERMINAL,
    "replay": _CONTENT,
    "like": _CONTENT,
    "comment": {**_CONTENT, "comment_text": (_is_text, 1)},
    "share": {**_CONTENT, "platform": (_is_short_text, 1)},
    "save": _CONTENT,
    "hide": _CONTENT,
    "report": {**_CONTENT, "reason": (_is_short_text, 1)},
    "follow": {**_CREATOR, "content_id": (_is_identifier, 0)},
    "unfollow": _CREATOR,
}
"""Uploads are rare and hold much from outside: they are left to pydantic."""

_NUM_REQUIRED = {
    event_type: sum(required for _, required in fields.values()) for event_type, fields in _FIELDS.items()
}

assert set(_FIELDS) == set(EVENT_TYPES) - {"content_upload"}
