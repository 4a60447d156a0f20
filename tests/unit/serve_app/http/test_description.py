"""The API's description: enough to generate a client from, and true of what is answered."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import BaseModel

from actors.model_groups import FIRST_MODEL
from learners.training_settings import TrainingSettings
from learners.user_state import UserState
from learners.watch_outcome import ContentTraits
from messages.identifiers import key_of
from serve_app.http.answers import (
    AcceptedEvents,
    Content,
    Person,
    Problem,
    Profile,
    PutContent,
    Weights,
    WeightsPreview,
)
from serve_app.http.app_factory import create_app
from serve_app.http.feed_answers import Feed
from serve_app.http.model_answers import Model, ModelChanges, Models
from serve_app.http.operations_answers import Health, Status
from serve_app.model_operations import ModelOperations
from tests.api_over_fakes import LIMITS, Api
from tests.fakes import NOW
from tests.memory_registry import MemoryRegistry

VIEW = {
    "event_type": "view",
    "user_id": "ada",
    "content_id": "c1",
    "request_id": "r",
    "timestamp": NOW,
    "watch_duration": 3,
}
UPLOAD = {"creator_id": "grace", "metadata": {"category": "music", "tags": ["piano"], "duration": 31}}
PROFILE = {"demographics": {"age_group": "25-34"}, "preferences": {"categories": ["music"]}}
WITHOUT_JSON = {"delete_content", "get_metrics"}
BY = {"by": "ada", "why": "a try"}
CALLS: list[tuple[str, str, Any, type[BaseModel]]] = [
    ("GET", "/v1/feed/ada", None, Feed),
    ("GET", "/v1/feed/ada?limit=3&explain=true&about=c0", None, Feed),
    ("GET", "/v1/feed/ada?limit=50&explain=true&about=nothing", None, Feed),
    ("POST", "/v1/events", [VIEW, {**VIEW, "watch_duration": "long"}], AcceptedEvents),
    ("PUT", "/v1/content/new", UPLOAD, PutContent),
    ("GET", "/v1/content/new", None, Content),
    ("GET", "/v1/users/bob", None, Person),
    ("PUT", "/v1/users/bob", PROFILE, Profile),
    ("GET", "/v1/users/bob", None, Person),
    ("GET", "/v1/health", None, Health),
    ("GET", "/v1/status", None, Status),
    ("GET", "/v1/weights", None, Weights),
    ("PUT", "/v1/weights", {"weights": {"like": 2.0}}, Weights),
    ("GET", "/v1/weights", None, Weights),
    ("POST", "/v1/weights/preview", {"weights": {"like": -1.0}}, WeightsPreview),
    ("GET", "/v1/models", None, Models),
    ("PUT", "/v1/models/next", BY, ModelChanges),
    ("PATCH", "/v1/models/next", {**BY, "settings": {"model": {"learning_rate": 0.5}}}, ModelChanges),
    ("POST", "/v1/models/next/canary", BY, ModelChanges),
    ("POST", "/v1/models/next/promote", BY, ModelChanges),
    ("GET", f"/v1/models/{FIRST_MODEL}", None, Model),
    ("POST", "/v1/models/rollback", BY, ModelChanges),
    ("GET", "/v1/models/next", None, Model),
    ("GET", "/v1/model-changes", None, ModelChanges),
]
REFUSED_CALLS: list[tuple[str, str, Any]] = [
    ("GET", "/v1/feed/ada?limit=0", None),
    ("GET", "/no/such/path", None),
    ("POST", "/v1/events", [{"event_type": "dance"}]),
    ("POST", "/v1/events", [{"tags": "x" * LIMITS.max_body_bytes}]),
    ("GET", "/v1/content/none", None),
    ("DELETE", "/v1/content/none", None),
    ("PUT", "/v1/weights", {"weights": {"like": "much"}}),
    ("PUT", "/v1/models/next", {"settings": {"rate": 1}}),
    ("POST", f"/v1/models/{FIRST_MODEL}/canary", BY),
]


@pytest.fixture
def whole_api(api: Api) -> Api:
    """With the registry of models, and a person who has watched something."""
    operations = ModelOperations(MemoryRegistry(), TrainingSettings(), lambda: NOW)
    api.app = create_app(api.service, LIMITS, weights=api.weights, models=operations)
    state = UserState.empty("bob")
    music = ContentTraits(key_of("c1"), key_of("u1"), key_of("k1"), 30.0)
    state.apply({"event_type": "like", "content_id": "c1"}, NOW - 4_000, music)
    state.apply({"event_type": "view", "content_id": "c1", "watch_duration": 30.0}, NOW - 4_000, music)
    state.apply({"event_type": "skip", "content_id": "gone", "watch_duration": 1.0}, NOW, None)
    api.store.states["bob"] = state.to_bytes()
    return api


def operation_of(description: dict[str, Any], method: str, path: str) -> dict[str, Any]:
    """Return what a description says of a call; a path without parameters goes before one with some."""
    templates = sorted(description["paths"], key=lambda template: template.count("{"))
    for template in templates:
        pattern = re.sub(r"{\w+}", "[^/]+", template)
        if re.fullmatch(pattern, path.partition("?")[0]) and method.lower() in description["paths"][template]:
            operation: dict[str, Any] = description["paths"][template][method.lower()]
            return operation
    raise LookupError(f"{method} {path}")


def schema_of(operation: dict[str, Any], status: int) -> str:
    """Return the name of the schema of an answer."""
    schema = operation["responses"][str(status)]["content"]["application/json"]["schema"]
    return str(schema["$ref"]).rpartition("/")[2]


def test_every_answer_is_as_its_schema_describes_it_to_the_last_field(whole_api: Api) -> None:
    description = whole_api.get("/openapi.json").json()
    answered = set()
    for method, path, body, model in CALLS:
        answer = whole_api.request(method, path, json=body)
        assert answer.is_success, (path, answer.text)
        model.model_validate_json(answer.content, strict=True, extra="forbid")
        operation = operation_of(description, method, path)
        assert schema_of(operation, answer.status_code) == model.__name__
        answered.add(operation["operationId"])

    assert answered == {each["operationId"] for each in operations(description)} - WITHOUT_JSON


def test_a_replica_that_is_not_ready_answers_with_its_health_too(empty_api: Api) -> None:
    answer = empty_api.get("/v1/health")
    operation = operation_of(empty_api.get("/openapi.json").json(), "GET", "/v1/health")

    assert schema_of(operation, answer.status_code) == "Health"
    assert not Health.model_validate_json(answer.content, strict=True, extra="forbid").ready


@pytest.mark.parametrize(("method", "path", "body"), REFUSED_CALLS)
def test_every_refusal_has_one_form(whole_api: Api, method: str, path: str, body: Any) -> None:
    answer = whole_api.request(method, path, json=body)

    assert answer.is_client_error
    assert Problem.model_validate_json(answer.content, strict=True, extra="forbid").detail


def operations(description: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for methods in description["paths"].values() for operation in methods.values()]


def test_every_json_answer_has_a_schema_and_every_operation_a_name_of_its_own(whole_api: Api) -> None:
    described = operations(whole_api.get("/openapi.json").json())
    names = [operation["operationId"] for operation in described]

    assert len(set(names)) == len(names)
    assert {"get_feed", "post_events", "put_content"} <= set(names)
    for operation in described:
        for status, answer in operation["responses"].items():
            for media, content in answer.get("content", {}).items():
                assert content["schema"], (operation["operationId"], status, media)


def test_whatever_the_description_refers_to_is_in_it(whole_api: Api) -> None:
    description = whole_api.get("/openapi.json").json()
    defined = {f"#/components/schemas/{name}" for name in description["components"]["schemas"]}

    assert set(references(description)) <= defined


def references(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [each for value in part.values() for each in references(value)]
    return [each for value in part for each in references(value)] if isinstance(part, list) else []
