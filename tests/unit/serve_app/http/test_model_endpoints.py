"""The registry over HTTP: what may be asked of it, and that everything is on record."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from actors.model_groups import FIRST_MODEL
from learners.training_settings import TrainingSettings
from serve_app.http.model_routes import model_routes
from serve_app.model_operations import ModelOperations
from tests.memory_registry import NOW, MemoryRegistry


class Api:
    def __init__(self) -> None:
        self.registry = MemoryRegistry()
        self.app = FastAPI()
        operations = ModelOperations(self.registry, TrainingSettings(), lambda: NOW)
        self.app.include_router(model_routes(operations))

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        async def run() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://foryou") as client:
                return await client.request(method, path, json=body)

        return asyncio.run(run())

    def create(self, model_id: str = "next", **body: Any) -> httpx.Response:
        return self.ask("PUT", f"/v1/models/{model_id}", {"by": "ada", "why": "a try", **body})

    def act(self, action: str, model_id: str = "next") -> httpx.Response:
        return self.ask("POST", f"/v1/models/{model_id}/{action}", {"by": "ada", "why": "so"})

    def stages(self) -> dict[str, str]:
        models = self.ask("GET", "/v1/models").json()["models"]
        return {model["model_id"]: model["stage"] for model in models}


@pytest.fixture
def api() -> Api:
    return Api()


def test_a_new_system_has_one_model_which_is_production(api: Api) -> None:
    answer = api.ask("GET", "/v1/models").json()
    assert answer["production"] == FIRST_MODEL
    (model,) = answer["models"]
    assert model["verdict"] == "wait in production: nothing is watched"
    assert model["evidence"] == {"p": None}


def test_a_candidate_goes_all_the_way_and_back_by_hand(api: Api) -> None:
    assert api.create().status_code == 201
    assert api.stages() == {FIRST_MODEL: "production", "next": "shadow"}
    assert api.act("canary").status_code == 200
    assert api.act("promote").status_code == 200
    assert api.stages() == {FIRST_MODEL: "shadow", "next": "production"}
    pinned = {model["model_id"]: model["pinned"] for model in api.ask("GET", "/v1/models").json()["models"]}
    assert pinned[FIRST_MODEL] == []
    assert [name.startswith("next-") for name in pinned["next"]] == [True]
    assert api.ask("POST", "/v1/models/rollback", {"by": "ada", "why": "worse"}).status_code == 200
    assert api.stages() == {FIRST_MODEL: "production", "next": "stopped"}
    assert api.act("retire").status_code == 200
    assert api.stages() == {FIRST_MODEL: "production"}


def test_every_change_says_who_when_and_why(api: Api) -> None:
    api.create()
    api.act("canary")
    changes = api.ask("GET", "/v1/model-changes").json()["changes"]
    assert [change["what"] for change in changes] == [
        "created as shadow: a copy of production",
        "shadow to canary",
    ]
    assert all((change["by"], change["time"]) == ("ada", NOW) for change in changes)
    assert changes[1]["why"] == ["so"]


def test_a_candidate_differs_from_production_in_what_is_said(api: Api) -> None:
    api.create(settings={"model": {"learning_rate": 0.2}, "retrieval_weight": 0.5})
    training = api.ask("GET", "/v1/models/next").json()["training"]
    assert training["model"]["learning_rate"] == 0.2
    assert training["retrieval_weight"] == 0.5
    assert training["model"]["hidden"] == [256, 128, 64]


@pytest.mark.parametrize(
    ("settings", "field"),
    [({"model": {"learning_rate": -1}}, "settings.model.learning_rate"), ({"rate": 1}, "settings.rate")],
)
def test_a_wrong_setting_is_named_and_nothing_is_created(
    api: Api, settings: dict[str, Any], field: str
) -> None:
    answer = api.create(settings=settings)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["field"] == field
    assert api.stages() == {FIRST_MODEL: "production"}


@pytest.mark.parametrize("settings", [{"model": {"hidden": [64, 32]}}])
def test_other_sizes_begin_from_scratch(api: Api, settings: dict[str, Any]) -> None:
    assert api.create(settings=settings).status_code == 409
    assert api.create(settings=settings, copy_weights=False).status_code == 201


def test_what_is_not_allowed_says_so(api: Api) -> None:
    api.create()
    assert api.create().status_code == 409
    assert api.act("canary", FIRST_MODEL).status_code == 409
    assert api.act("approve").status_code == 409
    assert api.act("canary", "nobody").status_code == 404
    assert api.ask("GET", "/v1/models/nobody").status_code == 404
    answer = api.act("explode")
    assert answer.status_code == 404
    assert "retire" in answer.json()["detail"][0]["reason"]


def test_a_model_learns_on_with_other_settings_of_the_same_sizes(api: Api) -> None:
    change = {"settings": {"model": {"learning_rate": 0.5}}, "by": "ada", "why": "faster"}
    assert api.ask("PATCH", "/v1/models/production", change).status_code == 200
    assert api.ask("GET", "/v1/models/production").json()["training"]["model"]["learning_rate"] == 0.5
    wider = {"settings": {"model": {"hidden": [8]}}}
    assert api.ask("PATCH", "/v1/models/production", wider).status_code == 409
    assert api.ask("PATCH", "/v1/models/nobody", change).status_code == 404
