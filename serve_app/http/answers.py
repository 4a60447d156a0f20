"""What the API answers, for its description alone: nothing validates the prepared bytes on their way.

Tests hold real answers against these models, so a field that is missing or wrong here shows there. A field
with a default may be left out of an answer.
"""

from __future__ import annotations

from pydantic import BaseModel, Field

from messages.events import ContentMetadata
from serve_app.http.profiles import Demographics, Preferences


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    field: str = Field(description="As the client named it, with dots; empty where no one field is to blame.")
    reason: str
    index: int | None = Field(None, description="Of the event; only where none of a batch is acceptable.")


class Problem(BaseModel):
    """Every refusal and every error."""

    detail: list[FieldProblem]


class RefusedEvent(BaseModel):
    """An event that was not taken, and why."""

    index: int = Field(description="In the batch.")
    field: str
    reason: str


class AcceptedEvents(BaseModel):
    """What became of a batch."""

    accepted: int
    refused: list[RefusedEvent]
    positions: dict[str, int] = Field(description="Partition to the position of the last event there.")


class Content(BaseModel):
    """A content as the catalogue keeps it."""

    content_id: str
    creator_id: str
    upload_timestamp: float = Field(description="Epoch seconds.")
    metadata: ContentMetadata = Field(description="What is other than its default.")


class PutContent(Content):
    """A content as the catalogue keeps it now, and where its upload stands."""

    positions: dict[str, int] = Field(description="Partition to the position of the upload there.")


class Profile(BaseModel):
    """What a person has told about themselves."""

    user_id: str
    demographics: Demographics
    preferences: Preferences


class Preference(BaseModel):
    """What a person makes of a category or a creator, faded until now."""

    name: str | None = Field(description="Null where nothing of it is served any more.")
    weight: float
    watched: float
    engaged: float


class PreferenceWeights(BaseModel):
    """The highest weight first."""

    categories: list[Preference]
    creators: list[Preference]


class Watched(BaseModel):
    """A content that a person watched or skipped."""

    content_id: str | None = Field(description="Null where it is served no more.")
    engaged: bool


class LastSession(BaseModel):
    """Times are epoch seconds."""

    started: float | None
    last_event_time: float | None
    contents: int


class Sessions(BaseModel):
    """How often and how long a person watches."""

    count: int
    average_seconds: float
    average_contents: float
    last: LastSession


class Activity(BaseModel):
    """What a person has done, in numbers."""

    contents_watched: int
    sessions: int
    average_session_seconds: float
    last_event_time: float | None = Field(description="Epoch seconds.")
    liked: int
    creators_followed: int
    contents_hidden: int
    creators_blocked: int
    served: int


class Person(BaseModel):
    """What is known of a person: what they told, and what events have said so far."""

    user_id: str
    demographics: Demographics = Field(Demographics(), description="Left out where no profile was set.")
    preferences: Preferences = Field(Preferences(), description="Left out where no profile was set.")
    preference_weights: PreferenceWeights
    history: list[Watched] = Field(description="The newest first.")
    sessions: Sessions
    activity: Activity


class Weights(BaseModel):
    """What each signal is worth."""

    weights: dict[str, float] = Field(description="Every signal, those too that count nothing.")
    revision: int = Field(description="0 until the table is first changed.")
    changed_at: float | None = Field(description="Epoch seconds; null until the table is first changed.")


class PreviewedSlates(BaseModel):
    """Content ids of both slates of a person, best first."""

    user_id: str
    before: list[str]
    after: list[str]


class WeightsPreview(BaseModel):
    """What another table would change."""

    revision: int = Field(description="Of the table in force.")
    users: list[PreviewedSlates]
    contents_kept: float = Field(description="Share of contents that stay, from 0 to 1.")
    slates_unchanged: int
    expected_change: dict[str, float | None] = Field(
        description="By how much the mean prediction of each head rises or falls."
    )
