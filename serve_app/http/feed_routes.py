"""GET /v1/feed/{user_id}."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from messages.impressions import RequestContext
from serve_app.feed_service import FeedService
from serve_app.http.api_settings import ApiSettings
from serve_app.http.json_answers import json_answer
from serve_app.http.path_ids import UserId
from serve_app.pipeline.ranking_request import FeedRequest

_EXAMPLE: dict[str, Any] = {
    "request_id": "6f1c0f1e2d3a4b5c6d7e8f90",
    "user_id": "ada",
    "items": [
        {
            "content_id": "c-42",
            "creator_id": "grace",
            "category": "music",
            "score": 1.871,
            "source": "similar_to_liked",
            "reason": "like c-7, which you liked",
        }
    ],
    "model": {"id": "production", "version": "a.1834"},
    "watermark": {"time": 1764000003.2, "partition": 3, "position": 1207},
    "freshness_ms": 84.0,
    "exhausted": False,
}
_Word = Annotated[str, Query(max_length=100)]


def feed_routes(service: FeedService, settings: ApiSettings) -> APIRouter:
    router = APIRouter(tags=["feed"])

    @router.get(
        "/v1/feed/{user_id:path}",
        summary="Get a feed",
        responses={
            200: {"description": "Best first.", "content": {"application/json": {"example": _EXAMPLE}}},
            422: {"description": "A parameter is out of bounds."},
            503: {"description": "Store or broker is away; try again after Retry-After seconds."},
        },
    )
    async def get_feed(
        user_id: UserId,
        limit: int = Query(
            settings.default_limit, ge=1, le=settings.max_limit, description="Contents wanted."
        ),
        explain: Annotated[
            bool,
            Query(description="Add each item's predicted heads and propensity, and what the stages did."),
        ] = False,
        about: Annotated[
            str | None,
            Query(max_length=200, description="A content of which to say how it scores, and why or why not."),
        ] = None,
        device: _Word = "",
        network: _Word = "",
        surface: _Word = "",
        language: _Word = "",
        network_speed: Annotated[
            float | None, Query(ge=0, le=1e6, allow_inf_nan=False, description="Megabits per second.")
        ] = None,
    ) -> Response:
        """Rank contents for a person, known or not. Nothing is shown twice.

        The answer is sent once the impression is in the broker and its contents are remembered as served.
        Give its `request_id` with the events that follow. `exhausted` says that there was less than asked
        for, and `exhausted_reason` why; with nothing in the catalogue the list is empty.

        `watermark` says up to which position of this person's partition the serving model has learned
        (compare `positions` of POST /v1/events), `freshness_ms` how long ago the model's weights were read.
        """
        speed = float("nan") if network_speed is None else network_speed
        context = RequestContext(device, network, surface, language, speed)
        return json_answer(await service.feed(FeedRequest(user_id, limit, context, explain, about)))

    return router
