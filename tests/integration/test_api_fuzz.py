"""The API under calls that its own description allows, and under broken ones: never an error of its own."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import quote

import httpx
import hypothesis
import pytest
import schemathesis
from hypothesis import given
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from serve_app.http.api_settings import ApiSettings
from tests.api_over_fakes import catalogue_api

LIMITS = ApiSettings(max_events=20, max_body_bytes=65_536)
CHECKS: list[Any] = [
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
]
APP = catalogue_api(LIMITS).app
OPERATIONS = [
    found.ok() for found in schemathesis.openapi.from_asgi("/openapi.json", APP).get_all_operations()
]
CALLS = [
    pytest.param(operation, mode, id=f"{operation.label}-{mode.value}")
    for operation in OPERATIONS
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    if mode is GenerationMode.POSITIVE or operation.body or list(operation.iter_parameters())
]
STALLS = [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.filter_too_much]


@pytest.mark.parametrize(("operation", "mode"), CALLS)
def test_every_call_is_answered_as_the_description_says(operation: Any, mode: GenerationMode) -> None:
    @hypothesis.settings(suppress_health_check=STALLS)
    @given(case=operation.as_strategy(generation_mode=mode))
    def holds(case: Any) -> None:
        case.call_and_validate(checks=CHECKS)

    holds()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
EVENT = st.dictionaries(
    st.sampled_from(
        ["event_type", "user_id", "content_id", "timestamp", "watch_duration", "metadata", "request_id"]
    ),
    st.sampled_from(["view", "skip", "content_upload", "ada", "c1", ""]) | JSON,
)
BODIES = (
    st.binary(max_size=200)
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.lists(EVENT, max_size=5).map(lambda events: json.dumps({"events": events}).encode())
)
ROUTES = st.sampled_from(
    [
        ("POST", "/v1/events"),
        ("PUT", "/v1/content/c1"),
        ("PUT", "/v1/users/ada"),
        ("PUT", "/v1/weights"),
        ("POST", "/v1/weights/preview"),
    ]
)


@given(st.lists(st.tuples(ROUTES, BODIES), min_size=1, max_size=20))
def test_no_body_brings_the_server_to_an_error(calls: list[tuple[tuple[str, str], bytes]]) -> None:
    statuses = send([(method, path, body) for (method, path), body in calls])

    assert all(status < 500 for status in statuses), list(zip(calls, statuses, strict=True))


@given(
    st.lists(st.tuples(st.sampled_from(["feed", "users", "content"]), st.binary(max_size=300)), max_size=20)
)
def test_no_id_brings_the_server_to_an_error(ids: list[tuple[str, bytes]]) -> None:
    statuses = send([("GET", f"/v1/{kind}/{quote(name)}", b"") for kind, name in ids])

    assert all(status < 500 for status in statuses), list(zip(ids, statuses, strict=True))


def send(calls: list[tuple[str, str, bytes]]) -> list[int]:
    """Send calls one after the other; returns their statuses. Paths are percent-encoded already."""

    async def run() -> list[int]:
        transport = httpx.ASGITransport(APP, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://foryou") as client:
            return [
                (await client.request(method, path, content=body)).status_code for method, path, body in calls
            ]

    return asyncio.run(run())
