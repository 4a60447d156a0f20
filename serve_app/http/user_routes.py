"""PUT and GET /v1/users/{user_id}."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict

from serve_app.feed_service import FeedService
from serve_app.http.answers import Person, Profile
from serve_app.http.json_answers import json_answer, problem
from serve_app.http.path_ids import UserId
from serve_app.http.profiles import Demographics, Preferences


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
        responses={200: {"model": Profile}, 503: {"description": "The store is away; put it again."}},
    )
    async def put_user(user_id: UserId, body: ProfileBody) -> Response:
        """Replace what a person has told about themselves. Nobody needs a profile to get a feed."""
        return json_answer(await service.put_user(user_id, body.model_dump(exclude_none=True)))

    @router.get(
        "/v1/users/{user_id:path}",
        summary="Read what is known of a person",
        responses={200: {"model": Person}, 404: {"description": "Nothing is known of this person."}},
    )
    async def get_user(user_id: UserId) -> Response:
        """Read the profile and what events have said so far: preference weights by category and creator,
        fading by half in a week, the contents watched or skipped last, newest first, and sessions."""
        user = await service.get_user(user_id)
        if user is None:
            return problem(404, "user_id", "nothing is known of this person")
        return json_answer(user)

    return router
