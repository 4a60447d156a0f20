"""Events from clients: validate, put uploads into the catalogue, publish."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from messages.content import ContentFacts
from messages.events import InvalidEventError, parse_events
from serve_app.ports import Catalogue, FeedPublisher
from serve_app.serving_metrics import ServingMetrics


@dataclass(frozen=True, slots=True)
class IntakeAnswer:
    """accepted: how many events the broker has. refused: by index in the batch. positions: partition -> FEED
    sequence at which the last of them stands there; once a feed's watermark is at it, they are learned."""

    accepted: int
    refused: dict[int, InvalidEventError]
    positions: dict[int, int]


class EventIntake:
    """Takes batches in. What is valid is accepted whatever stands beside it."""

    def __init__(self, catalogue: Catalogue, publisher: FeedPublisher, metrics: ServingMetrics) -> None:
        self._catalogue = catalogue
        self._publisher = publisher
        self._metrics = metrics

    async def accept(self, raw: list[object]) -> IntakeAnswer:
        """Returns when the broker has acknowledged. A batch may be sent again after an error: an event's id,
        given or made from its fields, names it, and the joiner takes each only once."""
        events, refused = parse_events(raw)
        self._metrics.events.labels("refused").inc(len(refused))
        positions = await self.publish(events) if events else {}
        return IntakeAnswer(len(events), refused, positions)

    async def publish(self, events: list[dict[str, Any]]) -> dict[int, int]:
        """Publish validated events, the facts of uploads to the catalogue first."""
        uploads = [
            ContentFacts.from_upload(event) for event in events if event["event_type"] == "content_upload"
        ]
        if uploads:
            await self._catalogue.put_many(uploads)
        positions = await self._publisher.publish_events(events)
        self._metrics.events.labels("accepted").inc(len(events))
        return positions
