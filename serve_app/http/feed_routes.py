"""GET /v1/feed/{user_id}."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from messages.impressions import RequestContext
from serve_app.feed_service import FeedService
from serve_app.http.api_settings import ApiSettings
from serve_app.http.feed_answers import Feed
from serve_app.http.feed_query import FeedQueryReader
from serve_app.http.json_answers import json_answer
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
    "arm": "production",
}


class _PlainRoute(APIRoute):
    """Calls its function with the request, as it is: resolving parameters, checking answers and the stacks of
    what is to be closed after both, which FastAPI has around it else, take longer than reading the query."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in self.methods:
            await super().handle(scope, receive, send)  # refuses it
            return
        response = await self.endpoint(Request(scope, receive, send))
        await response(scope, receive, send)


def add_feed_route(app: FastAPI, service: FeedService, settings: ApiSettings) -> None:
    """Add it to the app itself: a router of its own would be matched first, then its route once more."""
    reader = FeedQueryReader(settings)

    async def get_feed(request: Request) -> Response:
        """Rank contents for a person, known or not. Nothing is shown twice.

        The answer is sent once the impression is in the broker and its contents are remembered as served.
        Give its `request_id` with the events that follow. `exhausted` says that there was less than asked
        for, and `exhausted_reason` why; with nothing in the catalogue the list is empty.

        `watermark` says up to which position of this person's partition the serving model has learned
        (compare `positions` of POST /v1/events), `freshness_ms` how long ago the model's weights were read.

        While the store is away the feed is made of what this replica remembers of the person, and says
        `"remembered": true`; one who comes from another replica may then see a content again.
        """
        parameters = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
        query = reader.read(request.path_params["user_id"], dict(parameters))
        speed = float("nan") if query.network_speed is None else query.network_speed
        context = RequestContext(query.device, query.network, query.surface, query.language, speed)
        asked = FeedRequest(query.user_id, query.limit, context, query.explain, query.about)
        return json_answer(await service.feed(asked))

    app.router.add_api_route(
        "/v1/feed/{user_id:path}",
        get_feed,
        methods=["GET"],
        tags=["feed"],
        summary="Get a feed",
        openapi_extra={"parameters": reader.parameters()},
        responses={
            200: {
                "model": Feed,
                "description": "Best first.",
                "content": {"application/json": {"example": _EXAMPLE}},
            },
            422: {"description": "A parameter is out of bounds."},
            503: {"description": "The broker is away; try again after Retry-After seconds."},
        },
        route_class_override=_PlainRoute,
    )
