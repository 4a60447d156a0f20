"""The events of a person and of a creator, as they come in from outside (specification, section 2.1).

One model per event type, told apart by `event_type`. Pydantic guards the edge (HTTP, a foreign publisher on
NATS); inside, events travel as the plain maps that `to_wire` gives.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

import xxhash
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from messages.codec import pack

MAX_ID_LENGTH = 200
MAX_TEXT_LENGTH = 4_000

Identifier = Annotated[str, Field(min_length=1, max_length=MAX_ID_LENGTH)]
Text = Annotated[str, Field(max_length=MAX_TEXT_LENGTH)]
Vector = Annotated[tuple[Annotated[float, Field(allow_inf_nan=False)], ...], Field(max_length=4096)]
Seconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]

_MILLISECONDS_FROM = 1e11
"""A time at or above this is in milliseconds: in seconds it would lie past the year 5138."""


def _as_epoch_seconds(value: Any) -> Any:
    """Mend the formats in which clients send times: seconds, milliseconds, ISO 8601 (UTC where unsaid)."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            moment = dt.datetime.fromisoformat(value)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=dt.UTC)
            return moment.timestamp()
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= _MILLISECONDS_FROM:
        return value / 1000
    return value


Timestamp = Annotated[
    float, BeforeValidator(_as_epoch_seconds), Field(gt=0, lt=_MILLISECONDS_FROM, allow_inf_nan=False)
]
"""Seconds since 1970, UTC."""


class _Event(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    event_id: Identifier | None = None
    timestamp: Timestamp


class _UserEvent(_Event):
    user_id: Identifier
    request_id: Identifier | None = None
    """The feed request that showed it; without one the joiner takes the latest impression of the content."""


class _ContentEvent(_UserEvent):
    content_id: Identifier


class _Terminal(_ContentEvent):
    """Ends the watching of one impression."""

    watch_duration: Seconds | None = None
    long_view: bool | None = None
    """Said by a log that has its own definition; left out, the rule in the settings decides."""
    load_seconds: Seconds | None = None
    """How long the content took to begin: what the person's network is judged by."""


class View(_Terminal):
    event_type: Literal["view"]
    watch_duration: Seconds


class CompleteView(_Terminal):
    event_type: Literal["complete_view"]


class Skip(_Terminal):
    event_type: Literal["skip"]


class Replay(_ContentEvent):
    event_type: Literal["replay"]


class Like(_ContentEvent):
    event_type: Literal["like"]


class Comment(_ContentEvent):
    event_type: Literal["comment"]
    comment_text: Text = ""


class Share(_ContentEvent):
    event_type: Literal["share"]
    platform: Annotated[str, Field(max_length=100)] = ""


class Save(_ContentEvent):
    event_type: Literal["save"]


class Hide(_ContentEvent):
    event_type: Literal["hide"]


class Report(_ContentEvent):
    event_type: Literal["report"]
    reason: Annotated[str, Field(max_length=500)] = ""


class Follow(_UserEvent):
    event_type: Literal["follow"]
    creator_id: Identifier
    content_id: Identifier | None = None


class Unfollow(_UserEvent):
    event_type: Literal["unfollow"]
    creator_id: Identifier


class ContentMetadata(BaseModel):
    """What is known of a content when it is uploaded (specification, section 2.2)."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    category: Annotated[str, Field(max_length=MAX_ID_LENGTH)] = ""
    tags: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=100)], ...], Field(max_length=32)
    ] = ()
    description: Text = ""
    duration: Seconds | None = None
    language: Annotated[str, Field(max_length=35)] = ""
    audio_id: Annotated[str, Field(max_length=MAX_ID_LENGTH)] = ""
    visual_features: Vector = ()
    audio_features: Vector = ()
    moderation: Literal["approved", "pending", "rejected"] = "approved"
    """What a review says (specification, section 10.2); only approved contents are shown."""
    min_age: Annotated[int, Field(ge=0, le=120)] = 0
    """Years; nobody younger, or of unknown age, is shown the content."""


class ContentUpload(_Event):
    event_type: Literal["content_upload"]
    creator_id: Identifier
    content_id: Identifier
    metadata: ContentMetadata = ContentMetadata()


UserEvent: TypeAlias = (
    View | CompleteView | Skip | Replay | Like | Comment | Share | Save | Hide | Report | Follow | Unfollow
)
Event: TypeAlias = Annotated[UserEvent | ContentUpload, Field(discriminator="event_type")]

EVENT_TYPES: tuple[str, ...] = (
    "view", "complete_view", "skip", "replay", "like", "comment", "share", "save", "follow", "hide", "report",
    "unfollow", "content_upload",
)  # fmt: skip
"""The index in this tuple is the type's code in columnar messages: append, never reorder."""

EVENT_TYPE_CODES = {name: code for code, name in enumerate(EVENT_TYPES)}
TERMINAL_EVENT_TYPES = frozenset({"view", "complete_view", "skip"})

_EVENT = TypeAdapter[Any](Event)
_EVENTS = TypeAdapter[list[Any]](list[Event])


class InvalidEventError(ValueError):
    """An event breaks its contract; `field` names where and the text says why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.field = field
        self.reason = reason


def event_id_of(event: Mapping[str, Any]) -> str:
    """Name an event that came without an id by the hash of all its fields: the same event, the same name."""
    fields = sorted(
        (name, value) for name, value in event.items() if name != "event_id" and value is not None
    )
    return "h" + xxhash.xxh3_128_hexdigest(pack(fields))


def to_wire(event: BaseModel) -> dict[str, Any]:
    """Return the plain map of a validated event, its id filled in and absent fields left out."""
    wire = event.model_dump(exclude_none=True)
    if "event_id" not in wire:
        wire["event_id"] = event_id_of(wire)
    return wire


def parse_event(raw: object) -> dict[str, Any]:
    """Validate one event from outside and return its wire map. Raises InvalidEventError."""
    try:
        return to_wire(_EVENT.validate_python(raw))
    except ValidationError as error:
        raise _named(error) from error


def parse_events(raw: list[object]) -> tuple[list[dict[str, Any]], dict[int, InvalidEventError]]:
    """Validate a batch: the wire maps of the good ones in order, and the error of each bad one by its index.

    One call to pydantic for a whole good batch: 1.4 us an event instead of 6.
    """
    try:
        return [to_wire(event) for event in _EVENTS.validate_python(raw)], {}
    except ValidationError:
        accepted: list[dict[str, Any]] = []
        refused: dict[int, InvalidEventError] = {}
        for index, item in enumerate(raw):
            try:
                accepted.append(parse_event(item))
            except InvalidEventError as error:
                refused[index] = error
        return accepted, refused


def _named(error: ValidationError) -> InvalidEventError:
    first = error.errors(include_url=False)[0]
    location = [str(part) for part in first["loc"]]
    if location and location[0] in EVENT_TYPE_CODES:
        location = location[1:]  # the discriminator's tag, which is no field of the event
    if first["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return InvalidEventError("event_type", f"must be one of {', '.join(EVENT_TYPES)}")
    return InvalidEventError(".".join(location), first["msg"])
