"""Keys, rates, and what is refused when too much comes at once."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from serve_app.http.access_control import CallBudget
from serve_app.http.access_settings import AccessSettings
from serve_app.http.api_settings import ApiSettings
from tests.fakes import content, replica_of

CLIENT, ADMIN = "client-key", "admin-key-1"
WEIGHTS = {"weights": {"like": 1}}


@pytest.fixture
def guarded(make_api):
    def make(**access):
        replica = replica_of([content("c1"), content("c2")])
        return make_api(replica, ApiSettings(access=AccessSettings(**access)))

    return make


def keyed(key: str) -> dict[str, str]:
    return {"X-API-Key": key}


def test_on_this_machine_and_without_keys_everything_is_open(guarded) -> None:
    api = guarded()

    assert api.get("/v1/feed/ada").status_code == 200
    assert api.put("/v1/weights", json=WEIGHTS).status_code == 200


def test_beyond_this_machine_operators_need_a_key_even_where_none_is_set(guarded) -> None:
    api = guarded(is_loopback=False)
    refused = api.put("/v1/weights", json=WEIGHTS)

    assert api.get("/v1/feed/ada").status_code == 200
    assert refused.status_code == 403
    assert "access.admin_keys" in refused.json()["detail"][0]["reason"]
    assert api.request("DELETE", "/v1/content/c1").status_code == 403


def test_with_keys_a_call_without_one_is_refused_but_for_health(guarded) -> None:
    api = guarded(client_keys=(CLIENT,), admin_keys=(ADMIN,))

    assert api.get("/v1/feed/ada").status_code == 401
    assert api.get("/v1/feed/ada").headers["www-authenticate"] == "Bearer"
    assert api.get("/v1/feed/ada", headers=keyed("client-kex")).status_code == 401
    assert api.get("/v1/health").status_code == 200
    assert api.get("/v1/feed/ada", headers=keyed(CLIENT)).status_code == 200
    assert api.get("/v1/feed/ada", headers={"Authorization": f"bearer {CLIENT}"}).status_code == 200


def test_operators_calls_need_an_operators_key(guarded) -> None:
    api = guarded(client_keys=(CLIENT,), admin_keys=(ADMIN,))

    assert api.put("/v1/weights", json=WEIGHTS, headers=keyed(CLIENT)).status_code == 403
    assert api.request("DELETE", "/v1/content/c1", headers=keyed(CLIENT)).status_code == 403
    assert api.get("/v1/weights", headers=keyed(CLIENT)).status_code == 200
    assert api.put("/v1/weights", json=WEIGHTS, headers=keyed(ADMIN)).status_code == 200
    assert api.get("/v1/feed/ada", headers=keyed(ADMIN)).status_code == 200


def test_a_key_that_calls_too_often_is_told_when_to_come_again_and_another_is_not(guarded) -> None:
    api = guarded(
        client_keys=(CLIENT,), admin_keys=(ADMIN,), is_loopback=False, calls_per_second=0.01, burst=2
    )

    answers = [api.get("/v1/feed/ada", headers=keyed(CLIENT)) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 90 < int(answers[2].headers["retry-after"]) <= 100
    assert api.get("/v1/feed/ada", headers=keyed(ADMIN)).status_code == 200


def test_a_budget_fills_up_with_time_to_its_burst_and_no_further() -> None:
    now = 0.0
    budget = CallBudget(5.0, 2, lambda: now)

    assert [budget.take(b"a") for _ in range(3)] == [0, 0, pytest.approx(0.2)]
    now = 0.2
    assert [budget.take(b"a"), budget.take(b"a")] == [0, pytest.approx(0.2)]
    now = 1_000.0
    assert [budget.take(b"a") for _ in range(3)] == [0, 0, pytest.approx(0.2)]


def test_too_many_at_once_are_refused_and_those_taken_are_answered(make_api) -> None:
    api = make_api(replica_of([content("c1")]), ApiSettings(max_under_way=3, retry_after_seconds=2))
    gate = asyncio.Event()
    load = api.store.load

    async def slow_load(user_id, groups):
        await gate.wait()
        return await load(user_id, groups)

    api.store.load = slow_load

    async def run():
        transport = httpx.ASGITransport(api.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://foryou") as client:
            waiting = [asyncio.create_task(client.get(f"/v1/feed/user-{n}")) for n in range(5)]
            done, pending = await asyncio.wait(waiting, return_when=asyncio.ALL_COMPLETED, timeout=0.2)
            health = await client.get("/v1/health")
            gate.set()
            served = await asyncio.gather(*pending)
            after = await client.get("/v1/feed/afterwards")
            return [task.result() for task in done], served, health, after

    refused, served, health, after = asyncio.run(run())

    assert [answer.status_code for answer in refused] == [429, 429]
    assert {answer.headers["retry-after"] for answer in refused} == {"2"}
    assert [answer.status_code for answer in served] == [200, 200, 200]
    assert health.status_code == after.status_code == 200
    assert api.service.metrics.registry.get_sample_value("foryou_http_shed_total") == 2


def test_a_request_that_fails_gives_its_place_back(make_api) -> None:
    api = make_api(replica_of([content("c1")]), ApiSettings(max_under_way=1))
    api.publisher.failure = ConnectionError("refused")

    assert [api.get("/v1/feed/ada").status_code for _ in range(3)] == [503, 503, 503]


def test_the_api_page_names_keys_and_refusals(api) -> None:
    page = api.get("/openapi.json").json()

    assert set(page["components"]["securitySchemes"]) == {"bearer", "key"}
    feed = page["paths"]["/v1/feed/{user_id}"]["get"]
    assert {"401", "429", "503"} <= set(feed["responses"])
    assert feed["security"]
    assert "security" not in page["paths"]["/v1/health"]["get"]
