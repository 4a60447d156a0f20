"""GET, PUT and preview of /v1/weights: what signals are worth."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from actors.weight_store import WeightsConflictError
from messages.events import Identifier
from serve_app.http.answers import Weights, WeightsPreview
from serve_app.http.json_answers import json_answer, problem
from serve_app.pipeline.signal_weights import MAX_WEIGHT, SIGNALS, SignalWeightsError
from serve_app.weight_service import NobodyToPreviewError, WeightService

MAX_PREVIEWED = 50
_TABLE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        name: {"type": "number", "minimum": -MAX_WEIGHT, "maximum": MAX_WEIGHT} for name in SIGNALS
    },
}
Table = Annotated[
    dict[str, Any],
    WithJsonSchema(_TABLE_SCHEMA),
    Field(description="Signal to weight; a signal left out counts nothing."),
]
_EXAMPLE = {
    "engage": 1.0,
    "long_view": 1.0,
    "like": 1.0,
    "share": 2.0,
    "negative": -8.0,
    "report_rate": -20.0,
}


class WeightsBody(BaseModel):
    """A whole table."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"weights": _EXAMPLE, "revision": 3}}
    )

    weights: Table
    revision: int | None = Field(
        None, ge=0, lt=2**63, description="The revision this table was made from; left out, it replaces any."
    )


class PreviewBody(BaseModel):
    """A table to try, and on whom."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"weights": _EXAMPLE, "limit": 10}}
    )

    weights: Table
    users: Annotated[list[Identifier], Field(max_length=MAX_PREVIEWED)] = []
    num_users: int = Field(
        10, ge=1, le=MAX_PREVIEWED, description="Taken of those served last, if none are named."
    )
    limit: int = Field(10, ge=1, le=100, description="Contents in each slate.")


def weight_routes(service: WeightService) -> APIRouter:
    router = APIRouter(tags=["weights"])

    @router.get("/v1/weights", summary="What each signal is worth", responses={200: {"model": Weights}})
    async def get_weights() -> Response:
        """Return every signal with its weight: the heads, which are predictions for the person who asks, and
        the rates at which everybody answers to a content. The score is the sum of weight times value."""
        return json_answer(await service.show())

    @router.put(
        "/v1/weights",
        summary="Change what signals are worth",
        responses={
            200: {"model": Weights},
            409: {"description": "The table has another revision by now; read it again."},
            422: {"description": "A signal or a weight is wrong; names it."},
        },
    )
    async def put_weights(body: WeightsBody) -> Response:
        """Replace the table. It is durable when this answers, and every replica ranks the next request with
        it. Earlier tables stay in the store."""
        try:
            return json_answer(await service.set(body.weights, body.revision))
        except SignalWeightsError as error:
            return problem(422, f"weights.{error.field}", error.reason)
        except WeightsConflictError as error:
            return problem(409, "revision", str(error))

    @router.post(
        "/v1/weights/preview",
        summary="Try other weights on sample users",
        responses={
            200: {"model": WeightsPreview},
            422: {"description": "A signal or a weight is wrong, or there is nobody to try it on."},
        },
    )
    async def preview_weights(body: PreviewBody) -> Response:
        """Rank for some people with the table in force and with this one, and show both slates of each.

        Nothing is served, logged or changed. `contents_kept` is the share of contents that stay;
        `expected_change` how much each head's mean prediction over the slates would rise or fall.
        """
        try:
            return json_answer(
                await service.preview(body.weights, body.users, num_users=body.num_users, limit=body.limit)
            )
        except SignalWeightsError as error:
            return problem(422, f"weights.{error.field}", error.reason)
        except NobodyToPreviewError as error:
            return problem(422, "users", str(error))

    return router
