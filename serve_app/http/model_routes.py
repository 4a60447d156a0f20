"""/v1/models: which models there are, what each is for, and the changes that operators make."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from monitoring.model_lifecycle import TransitionError
from serve_app.http.json_answers import finite, json_answer, problem
from serve_app.http.model_answers import Model, ModelChanges, Models
from serve_app.model_operations import MOVES, ModelOperations, ModelSettingsError, UnknownModelError

ModelId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]
Action = Annotated[str, Path(json_schema_extra={"enum": [*MOVES, "retire", "approve", "decline"]})]
Words = Annotated[str, Field(max_length=500)]


class Reason(BaseModel):
    """Who wants it, and why: it goes on record."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"by": "ada", "why": "it is ready"}}
    )

    by: Annotated[str, Field(min_length=1, max_length=100)] = "an operator"
    why: Words = ""


class NewModel(Reason):
    """settings: what is other than production's training settings, nested as in `foryou.toml`. copy_weights:
    begin with production's weights; else with first values, learning the whole stream anew. snapshot: begin
    as the model that `foryou train` wrote there (a folder or URI that the shards can read) instead."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"settings": {"model": {"learning_rate": 0.1}}, "by": "ada", "why": "learns faster?"}
        },
    )

    settings: dict[str, Any] = {}
    copy_weights: bool = True
    snapshot: Annotated[str, Field(min_length=1, max_length=1_000)] | None = None


class Tuning(Reason):
    """settings: what changes of the model's training settings, nested as in `foryou.toml`."""

    settings: dict[str, Any]


class Rollback(Reason):
    """before: epoch seconds; where the model's own snapshot is needed it must be older."""

    before: float | None = Field(None, ge=0, allow_inf_nan=False)


_REFUSED: dict[int | str, dict[str, Any]] = {
    404: {"description": "There is no such model."},
    409: {"description": "The registry does not allow it; says why."},
}
_CHANGED: dict[int | str, dict[str, Any]] = {200: {"model": ModelChanges}, **_REFUSED}
_WRONG_SETTING: dict[str, Any] = {"description": "A setting is wrong; names it."}


def model_routes(operations: ModelOperations) -> APIRouter:
    router = APIRouter(tags=["models"])

    @router.get("/v1/models", summary="Every model and what it is for", responses={200: {"model": Models}})
    async def get_models() -> Response:
        """Stage, lineage and origin of each, what the rules say of it now, and what they ask about it."""
        return json_answer(finite(await operations.overview()))

    @router.get(
        "/v1/model-changes", summary="Every change of the registry", responses={200: {"model": ModelChanges}}
    )
    async def get_model_changes() -> Response:
        """Who changed what, when and why, on what evidence; oldest first."""
        return json_answer(finite({"changes": await operations.log()}))

    @router.get(
        "/v1/models/{model_id}",
        summary="One model",
        responses={200: {"model": Model}, 404: _REFUSED[404]},
    )
    async def get_model(model_id: ModelId) -> Response:
        """Its settings and its history, too."""
        try:
            return json_answer(finite(await operations.show(model_id)))
        except UnknownModelError as error:
            return problem(404, "model_id", str(error))

    @router.put(
        "/v1/models/{model_id}",
        summary="Create a candidate",
        status_code=201,
        responses={201: {"model": ModelChanges}, 409: _REFUSED[409], 422: _WRONG_SETTING},
    )
    async def create_model(model_id: ModelId, body: NewModel) -> Response:
        """It begins as a shadow: it learns what production learns, and its answers reach nobody."""
        try:
            report = await operations.create(
                model_id,
                settings=body.settings,
                copy=body.copy_weights,
                by=body.by,
                why=body.why,
                snapshot=body.snapshot,
            )
        except ModelSettingsError as error:
            return problem(422, f"settings.{error.field}", error.reason)
        except TransitionError as error:
            return problem(409, "model_id", str(error))
        return json_answer(finite(report), 201)

    @router.patch(
        "/v1/models/{model_id}",
        summary="Change how a model learns",
        responses={**_CHANGED, 422: _WRONG_SETTING},
    )
    async def tune_model(model_id: ModelId, body: Tuning) -> Response:
        """Its learner begins again with the settings, where it stood; sizes cannot change."""
        try:
            report = await operations.tune(model_id, settings=body.settings, by=body.by, why=body.why)
        except UnknownModelError as error:
            return problem(404, "model_id", str(error))
        except ModelSettingsError as error:
            return problem(422, f"settings.{error.field}", error.reason)
        except TransitionError as error:
            return problem(409, "settings", str(error))
        return json_answer(finite(report))

    @router.post("/v1/models/rollback", summary="Put production back", responses=_CHANGED)
    async def roll_back(body: Rollback) -> Response:
        """To the model that was production before, if it still learns; else to its own last snapshot, as a
        new lineage. In force in every replica within seconds."""
        try:
            return json_answer(
                finite(await operations.roll_back(by=body.by, why=body.why, before=body.before))
            )
        except TransitionError as error:
            return problem(409, "model_id", str(error))

    @router.post("/v1/models/{model_id}/{action}", summary="Change what a model is for", responses=_CHANGED)
    async def move_model(model_id: ModelId, action: Action, body: Reason) -> Response:
        """action: shadow, canary, promote, stop, retire; approve or decline what the rules ask."""
        try:
            if action in MOVES:
                report = await operations.move(model_id, action, by=body.by, why=body.why)
            elif action == "retire":
                report = await operations.retire(model_id, by=body.by, why=body.why)
            elif action in ("approve", "decline"):
                yes = action == "approve"
                report = await operations.answer(model_id, yes=yes, by=body.by, why=body.why)
            else:
                actions = ", ".join([*MOVES, "retire", "approve", "decline"])
                return problem(404, "action", f"there is no {action}; use one of {actions}")
        except UnknownModelError as error:
            return problem(404, "model_id", str(error))
        except TransitionError as error:
            return problem(409, "model_id", str(error))
        return json_answer(finite(report))

    return router
