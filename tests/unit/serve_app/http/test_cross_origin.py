"""Pages of other origins: kept out unless an operator names them."""

from __future__ import annotations

import pytest
from pydantic import SecretStr, ValidationError

from serve_app.http.access_settings import AccessSettings
from serve_app.http.api_settings import ApiSettings
from tests.api_over_fakes import Api, catalogue_api

ORIGIN = "https://app.example.com"
PREFLIGHT = {
    "Origin": ORIGIN,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "x-api-key,content-type",
}


def open_to_a_page() -> Api:
    access = AccessSettings(client_keys=(SecretStr("client-key"),))
    return catalogue_api(ApiSettings(cors_origins=(ORIGIN,), access=access))


def test_no_page_of_another_origin_may_call_by_default(api: Api) -> None:
    preflight = api.request("OPTIONS", "/v1/events", headers=PREFLIGHT)
    feed = api.get("/v1/feed/ada", headers={"Origin": ORIGIN})

    assert preflight.status_code == 405
    assert feed.status_code == 200
    for answer in (preflight, feed):
        assert "access-control-allow-origin" not in answer.headers


def test_a_named_origin_may_ask_before_it_has_a_key() -> None:
    answer = open_to_a_page().request("OPTIONS", "/v1/events", headers=PREFLIGHT)

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "X-API-Key" in answer.headers["access-control-allow-headers"]


@pytest.mark.parametrize(("key", "status"), [("client-key", 200), ("guessed-key", 401)])
def test_a_named_origin_can_read_answers_and_refusals(key: str, status: int) -> None:
    answer = open_to_a_page().get("/v1/feed/ada", headers={"Origin": ORIGIN, "X-API-Key": key})

    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == ORIGIN


def test_an_origin_that_is_not_named_is_refused() -> None:
    headers = PREFLIGHT | {"Origin": "https://other.example.com"}
    answer = open_to_a_page().request("OPTIONS", "/v1/events", headers=headers)

    assert answer.status_code == 400
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("origin", ["example.com", "https://example.com/", ""])
def test_what_a_browser_would_never_send_as_an_origin_is_no_setting(origin: str) -> None:
    with pytest.raises(ValidationError, match="cors_origins"):
        ApiSettings(cors_origins=(origin,))
