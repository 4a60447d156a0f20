"""What simulated people need of a feed, and the HTTP API as that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import httpx

from messages.content import ContentFacts


class FeedApiError(Exception):
    """The API refused or did not answer; the text holds status and reason."""


@dataclass(frozen=True, slots=True)
class FeedAnswer:
    """One slate. partition, position: the model that composed it has learned the asking person's partition up
    to this FEED position."""

    request_id: str
    content_ids: list[str]
    model_version: str
    partition: int
    position: int


class FeedApi(Protocol):
    """A feed that takes events, from outside."""

    async def feed(self, user_id: str, limit: int) -> FeedAnswer:
        """Ask for a slate. Raises FeedApiError."""
        ...

    async def post(self, events: Sequence[Mapping[str, Any]]) -> dict[int, int]:
        """Send events; once accepted, return the FEED position reached in each partition they went to.

        Raises FeedApiError.
        """
        ...

    async def learned_positions(self) -> dict[int, int]:
        """Return the FEED position up to which each partition is in the model that serves now."""
        ...


class HttpFeedApi:
    """The real API, over connections that are kept open."""

    def __init__(
        self,
        base_url: str,
        *,
        max_connections: int = 16,
        timeout_seconds: float = 10.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """transport: what carries the requests, None for the network."""
        limits = httpx.Limits(max_connections=max_connections, max_keepalive_connections=max_connections)
        self._http = httpx.AsyncClient(
            base_url=base_url, limits=limits, timeout=timeout_seconds, transport=transport
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def feed(self, user_id: str, limit: int) -> FeedAnswer:
        answer = await self._ask("GET", f"/v1/feed/{user_id}", params={"limit": limit})
        watermark = answer["watermark"]
        return FeedAnswer(
            request_id=answer["request_id"],
            content_ids=[item["content_id"] for item in answer["items"]],
            model_version=str(answer["model"]["version"]),
            partition=int(watermark["partition"]),
            position=int(watermark["position"]),
        )

    async def post(self, events: Sequence[Mapping[str, Any]]) -> dict[int, int]:
        answer = await self._ask("POST", "/v1/events", json={"events": list(events)})
        if answer["accepted"] != len(events):
            raise FeedApiError(f"{len(events)} events sent, {answer['accepted']} accepted: {answer}")
        return {int(partition): int(position) for partition, position in answer["positions"].items()}

    async def learned_positions(self) -> dict[int, int]:
        answer = await self._ask("GET", "/v1/status")
        return {int(number): int(place["feed"]) for number, place in answer["partitions"].items()}

    async def _ask(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        try:
            response = await self._http.request(method, path, **arguments)
        except httpx.HTTPError as error:
            raise FeedApiError(f"{method} {path}: {type(error).__name__} {error}") from error
        if response.is_error:
            raise FeedApiError(f"{method} {path}: {response.status_code} {response.text[:300]}")
        answer: dict[str, Any] = response.json()
        return answer


def upload_event(facts: ContentFacts) -> dict[str, Any]:
    """Return the event with which a creator publishes a content."""
    return {
        "event_type": "content_upload",
        "timestamp": facts.upload_timestamp,
        "content_id": facts.content_id,
        "creator_id": facts.creator_id,
        "metadata": facts.metadata.model_dump(mode="json", exclude_defaults=True),
    }
