"""PUT, GET and DELETE /v1/content/{content_id}."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from messages.events import ContentMetadata, Identifier, Timestamp
from serve_app.feed_service import FeedService
from serve_app.http.answers import Content, PutContent
from serve_app.http.json_answers import json_answer, problem
from serve_app.http.path_ids import ContentId


class ContentBody(BaseModel):
    """A content as its creator's platform knows it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "creator_id": "grace",
                "metadata": {
                    "category": "music",
                    "tags": ["piano", "jazz"],
                    "description": "Practising #jazz standards",
                    "duration": 31.0,
                    "language": "en",
                },
            }
        },
    )

    creator_id: Identifier
    metadata: ContentMetadata = ContentMetadata()
    timestamp: Timestamp | None = Field(
        None, description="When it was uploaded, now if left out. Epoch seconds, milliseconds or ISO 8601."
    )


def content_routes(service: FeedService) -> APIRouter:
    router = APIRouter(tags=["contents"])

    @router.put(
        "/v1/content/{content_id:path}",
        summary="Add or change a content",
        responses={
            200: {"model": PutContent},
            409: {"description": "Another content, or another creator, has the same key."},
            503: {"description": "Store or broker is away; put it again."},
        },
    )
    async def put_content(content_id: ContentId, body: ContentBody) -> Response:
        """Write the catalogue at once and publish the upload: feeds can show it within the next sync.

        Its first vectors come from category, tags and description. Put again, the facts are replaced and the
        upload time stays, unless one is given.
        """
        content = await service.put_content(content_id, body.creator_id, body.metadata, body.timestamp)
        return json_answer(content)

    @router.get(
        "/v1/content/{content_id:path}",
        summary="Read a content",
        responses={200: {"model": Content}, 404: {"description": "There is no such content."}},
    )
    async def get_content(content_id: ContentId) -> Response:
        content = await service.get_content(content_id)
        if content is None:
            return problem(404, "content_id", "there is no such content")
        return json_answer(content)

    @router.delete(
        "/v1/content/{content_id:path}",
        summary="Remove a content",
        status_code=204,
        responses={
            204: {"description": "It is in no feed from now on."},
            404: {"description": "There is no such content."},
        },
    )
    async def delete_content(content_id: ContentId) -> Response:
        """Take a content out of every feed from this moment on, and out of every index with the next sync.

        What people have done with it stays counted. Put it again to bring it back.
        """
        if not await service.delete_content(content_id):
            return problem(404, "content_id", "there is no such content")
        return Response(status_code=204)

    return router
