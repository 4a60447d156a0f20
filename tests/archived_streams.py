"""A small stream of FEED and the EXAMPLES that joiners make of it, as messages of a broker."""

from __future__ import annotations

from typing import Any

from actors.stream_reader import StreamMessage
from learners.joiner import JoinerSettings
from messages.content import ContentFacts
from messages.events import ContentMetadata, ContentUpload, to_wire
from messages.feed import FeedMessage, RecordKind
from messages.identifiers import partition_of
from simulations.in_process_streams import InProcessStreams
from tests.impressions import impression_of

START = 1_764_000_000.0
NUM_PARTITIONS = 3
CONTENTS = [f"content-{number}" for number in range(4)]


def streams_of(
    num_people: int = 12, *, seconds_between: float = 400.0
) -> tuple[list[StreamMessage], list[StreamMessage]]:
    """Return FEED and EXAMPLES: uploads, slates with what came of them, orphans and silence.

    One message of FEED a person and step; hours pass.
    """
    feed: list[StreamMessage] = []
    examples: list[StreamMessage] = []
    streams = InProcessStreams(JoinerSettings(num_partitions=NUM_PARTITIONS))

    def append(partition: int, records: list[tuple[RecordKind, Any]]) -> None:
        now = START + len(feed) * seconds_between
        message = FeedMessage(records)
        sequence = streams.append(partition, message, now)
        feed.append(StreamMessage(f"test.feed.{partition}", sequence, now, message.encode(), None))
        for released in streams.join():
            headers = released.header.to_headers()
            subject = f"test.examples.{released.partition}"
            examples.append(
                StreamMessage(subject, released.sequence, now + 0.25, released.batch.encode(), headers)
            )

    for number, content_id in enumerate(CONTENTS):
        append(number % NUM_PARTITIONS, [("event", _upload(content_id, number))])
    for person in range(num_people):
        user = f"person-{person}"
        partition = partition_of(user, NUM_PARTITIONS)
        impression = impression_of(user, CONTENTS, request_id=f"request-{person}").to_wire()
        impression["timestamp"] = START
        append(partition, [("impression", impression)])
        append(partition, [("event", event) for event in _reactions(user, person)])
        append(partition, [])
    return feed, examples


def _upload(content_id: str, number: int) -> dict[str, Any]:
    metadata = ContentMetadata(
        category="cats" if number % 2 else "chess",
        tags=("a", "b")[: number % 3],
        description="a #funny one",
        visual_features=[0.5, 1.5][: number % 3],
        duration=None if number == 2 else 10.0,
    )
    facts = ContentFacts(content_id, f"creator-{number}", START, metadata)
    return to_wire(
        ContentUpload(
            event_type="content_upload",
            content_id=facts.content_id,
            creator_id=facts.creator_id,
            timestamp=START,
            metadata=metadata,
        )
    )


def _reactions(user: str, person: int) -> list[dict[str, Any]]:
    about = {"user_id": user, "timestamp": START, "request_id": f"request-{person}"}
    events: list[dict[str, Any]] = [
        {"event_type": "view", "content_id": CONTENTS[person % 4], "watch_duration": 5.0, **about},
        {"event_type": "like", "content_id": CONTENTS[person % 4], **about},
        {"event_type": "skip", "content_id": CONTENTS[(person + 1) % 4], "watch_duration": 1.0, **about},
    ]
    if person % 3 == 1:
        text = "what an endgame" if person % 2 else "..."
        events.append(
            {"event_type": "comment", "content_id": CONTENTS[person % 4], "comment_text": text, **about}
        )
    if person % 3 == 0:
        events.append(
            {"event_type": "like", "content_id": "never-shown", "user_id": user, "timestamp": START}
        )
    return [event | {"event_id": f"{user}-{place}"} for place, event in enumerate(events)]
