"""Events from clients: validate, put uploads into the catalogue, publish."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from messages.content import ContentFacts
from messages.events import InvalidEventError, parse_events
from messages.identifiers import IdClashError
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
        taken = dict(zip((place for place in range(len(raw)) if place not in refused), events, strict=True))
        try:
            positions = await self.publish(list(taken.values())) if taken else {}
        except IdClashError as error:
            for place, clash in _clashing(taken, error).items():
                refused[place] = clash
                del taken[place]
            positions = await self.publish(list(taken.values())) if taken else {}
        self._metrics.events.labels("refused").inc(len(refused))
        return IntakeAnswer(len(taken), refused, positions)

    async def publish(self, events: list[dict[str, Any]]) -> dict[int, int]:
        """Publish validated events, the facts of uploads to the catalogue first. Raises IdClashError."""
        uploads = [
            ContentFacts.from_upload(event) for event in events if event["event_type"] == "content_upload"
        ]
        if uploads:
            await self._catalogue.put_many(uploads)
        positions = await self._publisher.publish_events(events)
        self._metrics.events.labels("accepted").inc(len(events))
        return positions


def _clashing(events: Mapping[int, dict[str, Any]], error: IdClashError) -> dict[int, InvalidEventError]:
    """Return what is wrong with the uploads whose ids clash, by place in the batch."""
    found = {}
    for clash in error.clashes:
        field = f"{clash.kind}_id"
        for place, event in events.items():
            if event["event_type"] == "content_upload" and event.get(field) == clash.id:
                found[place] = InvalidEventError(field, str(clash))
    return found
