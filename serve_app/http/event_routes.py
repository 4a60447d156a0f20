"""POST /v1/events."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request, Response

from serve_app.feed_service import FeedService
from serve_app.http.answers import AcceptedEvents
from serve_app.http.api_settings import ApiSettings
from serve_app.http.json_answers import json_answer, problem

_EXAMPLES: dict[str, Any] = {
    "what a person did": {
        "summary": "A view of a served content, and a like",
        "value": {
            "events": [
                {
                    "event_type": "view",
                    "event_id": "e-1",
                    "user_id": "ada",
                    "content_id": "c-42",
                    "request_id": "6f1c0f1e2d3a4b5c6d7e8f90",
                    "timestamp": 1764000000.0,
                    "watch_duration": 12.5,
                },
                {"event_type": "like", "user_id": "ada", "content_id": "c-42", "timestamp": 1764000003.2},
            ]
        },
    },
    "an upload": {
        "summary": "A new content (PUT /v1/content does the same for one)",
        "value": [
            {
                "event_type": "content_upload",
                "creator_id": "grace",
                "content_id": "c-43",
                "timestamp": 1764000010.0,
                "metadata": {"category": "music", "tags": ["piano"], "duration": 31},
            }
        ],
    },
}
_EVENT_LIST = {"type": "array", "items": {"$ref": "#/components/schemas/Event"}}
_REQUEST_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "oneOf": [
                    {
                        "title": "EventBatch",
                        "type": "object",
                        "required": ["events"],
                        "additionalProperties": False,
                        "properties": {"events": _EVENT_LIST},
                    },
                    _EVENT_LIST,
                ]
            },
            "examples": _EXAMPLES,
        }
    },
}
_ACCEPTED_EXAMPLE = {
    "accepted": 1,
    "refused": [{"index": 1, "field": "watch_duration", "reason": "Field required"}],
    "positions": {"3": 1207},
}


def event_routes(service: FeedService, settings: ApiSettings) -> APIRouter:
    router = APIRouter(tags=["events"])

    @router.post(
        "/v1/events",
        status_code=202,
        summary="Send events",
        openapi_extra={"requestBody": _REQUEST_BODY},
        responses={
            202: {
                "model": AcceptedEvents,
                "description": "The broker has the accepted events.",
                "content": {"application/json": {"example": _ACCEPTED_EXAMPLE}},
            },
            413: {"description": "The body is too large."},
            422: {"description": "None of the events is acceptable; names each one's field and reason."},
            503: {"description": "The broker is away or full: nothing is lost, send the batch again."},
        },
    )
    async def post_events(request: Request) -> Response:
        """Take a batch of events, as `{"events": [...]}` or as a bare list.

        What is valid is accepted, whatever stands beside it; the answer says which were not, and why.
        `positions` names, for each partition, the position of the last event there: once the `watermark` of
        this person's feed is at it, the event is learned and served.

        After a 503 send the whole batch again. An event is counted once however often it comes: by its
        `event_id`, or, without one, by all its fields.
        """
        events = _events_of(await request.body(), settings.max_events)
        if isinstance(events, Response):
            return events
        answer = await service.accept_events(events)
        refused = [
            {"index": index, "field": error.field, "reason": error.reason}
            for index, error in answer.refused.items()
        ]
        if not answer.accepted:
            return json_answer({"detail": refused}, 422)
        positions = {str(partition): sequence for partition, sequence in answer.positions.items()}
        return json_answer({"accepted": answer.accepted, "refused": refused, "positions": positions}, 202)

    return router


def _events_of(body: bytes, max_events: int) -> list[object] | Response:
    """Read a batch out of a body, or say what is wrong with it."""
    try:
        batch = json.loads(body)
    except (ValueError, RecursionError) as error:
        return problem(422, "body", f"is no JSON: {error}")
    if isinstance(batch, dict):
        if set(batch) != {"events"}:
            return problem(422, "events", 'the body must be {"events": [...]} or a list of events')
        batch = batch["events"]
    if not isinstance(batch, list):
        return problem(422, "events", "must be a list of events")
    if not batch:
        return problem(422, "events", "must hold at least one event")
    if len(batch) > max_events:
        return problem(422, "events", f"at most {max_events} events are taken at once, not {len(batch)}")
    return batch
