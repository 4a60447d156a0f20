"""A feed as it is answered, for the API's description alone (see `answers`)."""

from __future__ import annotations

from pydantic import BaseModel, Field

_EXPLAINED = "Only with `explain`."


class Places(BaseModel):
    """Where each stage put a content, counted from 1."""

    by_score: int
    by_selector: int | None = Field(description="Null for what only exploration brought in.")
    shown: int


class FeedItem(BaseModel):
    """A content to show. Numbers that a model could not give are null."""

    content_id: str
    creator_id: str
    category: str
    score: float | None
    source: str = Field(description="What proposed it.")
    reason: str = Field(description="Why it is there, in words for the person.")
    heads: dict[str, float | None] = Field({}, description=f"What each head predicts. {_EXPLAINED}")
    watch_seconds: float | None = Field(None, description=f"How long it will be watched. {_EXPLAINED}")
    propensity: float | None = Field(
        None, description=f"How probable it was that it came to this place. {_EXPLAINED}"
    )
    explored: bool = Field(False, description=f"Whether exploration brought it in. {_EXPLAINED}")
    retrieval_score: float | None = Field(None, description=_EXPLAINED)
    signals: dict[str, float | None] = Field({}, description=f"What each adds to the score. {_EXPLAINED}")
    adjustments: dict[str, float | None] = Field(
        {}, description=f"What each later scorer added to the score. {_EXPLAINED}"
    )
    places: Places | None = Field(None, description=_EXPLAINED)
    moved_by_diversity: int = Field(
        0, description=f"How many places the selector brought it up, or, negative, down. {_EXPLAINED}"
    )


class FeedModel(BaseModel):
    """The model that ranked."""

    id: str
    version: str | None
    behind: str | None = Field(
        None, description="A version this person has been shown already, where this answer is older."
    )


class Watermark(BaseModel):
    """Up to where the model has learned of this person's partition."""

    time: float = Field(description="Epoch seconds; 0 before the first event.")
    partition: int
    position: int = Field(description="To compare with `positions` of POST /v1/events.")


class StageRun(BaseModel):
    """One stage of the ranking: how many contents came in and went out."""

    kind: str
    stage: str
    milliseconds: float
    num_in: int = Field(alias="in")
    num_out: int = Field(alias="out")


class AboutContent(BaseModel):
    """How one content scores for this person now. Without score, heads and seconds where it is not served."""

    content_id: str
    in_slate: bool
    why: str
    score: float | None = None
    place_by_score: int | None = Field(
        None, description="From 1, among all that were scored; only where it was scored and is not shown."
    )
    heads: dict[str, float | None] = {}
    watch_seconds: float | None = None


class Feed(BaseModel):
    """A ranked slate, best first."""

    request_id: str = Field(description="To be given with the events that follow.")
    user_id: str
    items: list[FeedItem]
    model: FeedModel
    watermark: Watermark
    freshness_ms: float | None = Field(description="How long ago the model's weights were read.")
    exhausted: bool = Field(description="Whether there was less than asked for.")
    exhausted_reason: str | None = Field(None, description="Only where `exhausted`.")
    arm: str = Field(description="Of the experiment that the person is in.")
    remembered: bool = Field(
        False, description="Whether the store is away, and this replica goes by what it remembers."
    )
    stages: list[StageRun] = Field([], description=_EXPLAINED)
    failed_sources: dict[str, str] = Field({}, description=f"Source to its error. {_EXPLAINED}")
    about: AboutContent | None = Field(None, description="Only with `about`.")
