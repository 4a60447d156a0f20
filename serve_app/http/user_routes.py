"""PUT and GET /v1/users/{user_id}."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from messages.events import Identifier
from serve_app.feed_service import FeedService
from serve_app.http.json_answers import json_answer, problem
from serve_app.http.path_ids import UserId

Word = Annotated[str, Field(max_length=100)]


class Demographics(BaseModel):
    """What is known of the person as a member of groups; coarse values learn better and say less."""

    model_config = ConfigDict(extra="forbid")

    age_group: Word | None = None
    location: Word | None = None
    language: Word | None = None


class Preferences(BaseModel):
    """What the person said they want to see: where a newcomer's first feed comes from."""

    model_config = ConfigDict(extra="forbid")

    categories: Annotated[list[Identifier], Field(max_length=50)] = []
    creators_followed: Annotated[list[Identifier], Field(max_length=500)] = []


class ProfileBody(BaseModel):
    """A person's profile (specification, section 2.2)."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "demographics": {"age_group": "25-34", "location": "CH", "language": "de"},
                "preferences": {"categories": ["music"], "creators_followed": ["grace"]},
            }
        },
    )

    demographics: Demographics = Demographics()
    preferences: Preferences = Preferences()


def user_routes(service: FeedService) -> APIRouter:
    router = APIRouter(tags=["people"])

    @router.put(
        "/v1/users/{user_id:path}",
        summary="Set a profile",
        responses={503: {"description": "The store is away; put it again."}},
    )
    async def put_user(user_id: UserId, body: ProfileBody) -> Response:
        """Replace what a person has told about themselves. Nobody needs a profile to get a feed."""
        return json_answer(await service.put_user(user_id, body.model_dump(exclude_none=True)))

    @router.get(
        "/v1/users/{user_id:path}",
        summary="Read what is known of a person",
        responses={404: {"description": "Nothing is known of this person."}},
    )
    async def get_user(user_id: UserId) -> Response:
        """Read the profile and what events have said so far: preference weights by category and creator,
        fading by half in a week, the contents watched or skipped last, newest first, and sessions."""
        user = await service.get_user(user_id)
        if user is None:
            return problem(404, "user_id", "nothing is known of this person")
        return json_answer(user)

    return router
