"""Health, status, metrics and the API's own description."""

from __future__ import annotations

from messages.events import EVENT_TYPES


def test_without_a_model_a_replica_is_live_but_not_ready(empty_api) -> None:
    answer = empty_api.get("/v1/health")

    assert answer.status_code == 503
    assert answer.json()["live"] is True
    assert answer.json()["reasons"] == ["no version of the model has arrived yet"]


def test_with_a_model_it_is_ready_and_warns_when_that_grows_old(api) -> None:
    assert api.get("/v1/health").json() == {"live": True, "ready": True, "reasons": [], "warnings": []}

    api.now += 1_000

    assert api.get("/v1/health").status_code == 200
    assert api.get("/v1/health").json()["warnings"] == ["the model is 1002 s old"]


def test_status_tells_version_positions_and_sizes(api) -> None:
    status = api.get("/v1/status").json()

    assert status["model"] == {
        "id": "fake",
        "version": "a.1",
        "lineage": "a",
        "counter": 1,
        "age_seconds": 2.0,
    }
    assert status["partitions"]["3"]["feed"] == 93
    assert status["replica"]["contents"] == 30


def test_metrics_count_requests_by_route_and_what_stages_kept(api) -> None:
    api.get("/v1/feed/ada?limit=5")
    api.get("/v1/feed/bob?limit=0")
    api.get("/no/such/path")
    api.post("/v1/events", json=[{"event_type": "dance"}])

    answer = api.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain")
    for line in (
        'foryou_http_requests_total{route="/v1/feed/{user_id:path}",status="200"} 1.0',
        'foryou_http_requests_total{route="/v1/feed/{user_id:path}",status="422"} 1.0',
        'foryou_http_requests_total{route="unmatched",status="404"} 1.0',
        'foryou_stage_kept_total{kind="selector",stage="top_score"} 5.0',
        'foryou_items_served_total{source="two_tower"} 5.0',
        'foryou_events_total{outcome="refused"} 1.0',
    ):
        assert line in answer.text
    assert 'foryou_stage_seconds_count{kind="source",stage="trending"} 1.0' in answer.text


def test_the_description_covers_every_endpoint_and_event(api) -> None:
    description = api.get("/openapi.json").json()

    assert set(description["paths"]) == {
        "/v1/feed/{user_id}",
        "/v1/events",
        "/v1/content/{content_id}",
        "/v1/users/{user_id}",
        "/v1/weights",
        "/v1/weights/preview",
        "/v1/health",
        "/v1/status",
        "/metrics",
    }
    assert set(description["components"]["schemas"]["Event"]["discriminator"]["mapping"]) == set(EVENT_TYPES)
    assert api.get("/docs").status_code == 200
