"""A FEED to measure learning by: impressions of one content, each with what came of it, without features."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from messages.content import ContentColumns, ContentFacts
from messages.events import ContentMetadata
from messages.feed import FeedMessage, RecordKind
from messages.identifiers import partition_of
from messages.impressions import Impression, ModelVersion, RequestContext

START = 1_700_000_000.0
BENCHMARK_MODEL = ModelVersion("benchmark", "log", 0)


class LearningFeedSettings(BaseModel):
    """num_pairs: impressions, each with its terminal event. pairs_per_message: in one FEED message. start: of
    the stream's time, epoch seconds. run: part of every request's and event's id, so that what is sent later
    is no duplicate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = 0
    num_users: int = Field(default=10_000, ge=1)
    num_contents: int = Field(default=5_000, ge=1)
    num_pairs: int = Field(default=20_000, ge=1)
    pairs_per_message: int = Field(default=64, ge=1)
    num_partitions: int = Field(default=4, ge=1)
    events_per_s: float = Field(default=1_000.0, gt=0)
    """In stream time."""
    start: float = START
    run: str = ""


def feed_messages(settings: LearningFeedSettings) -> Iterator[tuple[int, float, bytes]]:
    """Yield partition, append time and encoded message. Popularity follows Zipf, taste the category."""
    draws = np.random.default_rng(settings.seed)
    contents = [ContentColumns.of([content_facts(number)]) for number in range(settings.num_contents)]
    popularity = 1.0 / np.arange(1, settings.num_contents + 1)
    videos = draws.choice(settings.num_contents, settings.num_pairs, p=popularity / popularity.sum())
    users = draws.integers(0, settings.num_users, settings.num_pairs)
    engaged = draws.random(settings.num_pairs) < np.where(users % 8 == videos % 8, 0.8, 0.3)
    waiting: list[list[tuple[RecordKind, object]]] = [[] for _ in range(settings.num_partitions)]
    time = settings.start
    for number, (user, video) in enumerate(zip(users.tolist(), videos.tolist(), strict=True)):
        time = settings.start + number / settings.events_per_s
        user_id, request_id = f"u{user}", f"r{settings.run}{number}"
        partition = partition_of(user_id, settings.num_partitions)
        records = waiting[partition]
        records.append(("impression", _impression(request_id, user_id, time, contents[video])))
        event = {
            "event_type": "view" if engaged[number] else "skip",
            "event_id": f"e{settings.run}{number}",
            "timestamp": time,
            "user_id": user_id,
            "content_id": f"c{video}",
            "request_id": request_id,
            "watch_duration": 15.0 if engaged[number] else 1.0,
        }
        records.append(("event", event))
        if len(records) >= 2 * settings.pairs_per_message:
            yield partition, time, FeedMessage(list(records)).encode()
            records.clear()
    for partition, records in enumerate(waiting):
        if records:
            yield partition, time, FeedMessage(list(records)).encode()


def content_facts(number: int) -> ContentFacts:
    """Return the content of a number: eight categories, 500 creators, 50 tags, 5 to 64 seconds."""
    metadata = ContentMetadata(
        category=f"k{number % 8}", tags=(f"t{number % 50}", f"t{number % 7}"), duration=float(5 + number % 60)
    )
    return ContentFacts(f"c{number}", f"m{number % 500}", START - number, metadata)


def _impression(request_id: str, user_id: str, time: float, contents: ContentColumns) -> dict[str, object]:
    return Impression(
        request_id=request_id,
        user_id=user_id,
        timestamp=time,
        model=BENCHMARK_MODEL,
        arm="log",
        context=RequestContext(surface="home", device="phone"),
        contents=contents,
        propensities=np.full(1, np.nan, dtype=np.float32),
        scores=np.full(1, np.nan, dtype=np.float32),
        sources=["log"],
        features=None,
    ).to_wire()
