"""GET, PUT and preview of the weights of signals."""

from __future__ import annotations

import pytest

from serve_app.pipeline.signal_weights import SIGNALS


def ids(answer) -> list[str]:
    return [item["content_id"] for item in answer.json()["items"]]


def test_before_anybody_changes_it_the_settings_table_holds(api) -> None:
    table = api.get("/v1/weights").json()

    assert table["revision"] == 0
    assert table["changed_at"] is None
    assert set(table["weights"]) == set(SIGNALS)
    assert table["weights"]["negative"] == -8


def test_a_changed_table_ranks_the_next_request(api) -> None:
    before = ids(api.get("/v1/feed/ada?limit=3"))
    changed = api.put("/v1/weights", json={"weights": {"engage": -1}, "revision": 0})
    after = ids(api.get("/v1/feed/bob?limit=3"))

    assert changed.json()["revision"] == 1
    assert changed.json()["weights"]["share"] == 0
    assert api.get("/v1/weights").json() == changed.json()
    assert before == ["c29", "c28", "c27"]
    assert after == ["c0", "c1", "c2"]


def test_a_table_made_from_an_older_revision_is_refused(api) -> None:
    api.put("/v1/weights", json={"weights": {"like": 1}})
    answer = api.put("/v1/weights", json={"weights": {"like": 2}, "revision": 0})

    assert answer.status_code == 409
    assert answer.json()["detail"][0]["field"] == "revision"
    assert api.get("/v1/weights").json()["weights"]["like"] == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"weights": {"dislike": 1}}, "weights.dislike"),
        ({"weights": {"like": "much"}}, "weights.like"),
        ({"weights": {"like": 1e9}}, "weights.like"),
        ({"weights": {"like": 1}, "revision": -1}, "revision"),
        ({"weights": [1, 2]}, "weights"),
        ({}, "weights"),
        ({"weights": {}, "note": "x"}, "note"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/weights", "/v1/weights/preview"])
def test_a_wrong_table_is_refused_by_name(api, body: dict, field: str, path: str) -> None:
    if path.endswith("preview"):
        body = {name: value for name, value in body.items() if name != "revision"}
        field = field if field != "revision" else "users"
    answer = api.request("POST" if path.endswith("preview") else "PUT", path, json=body)

    assert answer.status_code == 422
    assert answer.json()["detail"][0]["field"] == field
    assert api.get("/v1/weights").json()["revision"] == 0


def test_a_preview_shows_both_slates_and_changes_nothing(api) -> None:
    api.get("/v1/feed/bob?limit=2")
    served, log = dict(api.store.served), list(api.log)

    answer = api.post("/v1/weights/preview", json={"weights": {"engage": -1}, "users": ["ada"], "limit": 2})

    assert answer.json()["users"] == [{"user_id": "ada", "before": ["c29", "c28"], "after": ["c0", "c1"]}]
    assert answer.json()["contents_kept"] == 0
    assert answer.json()["slates_unchanged"] == 0
    assert answer.json()["expected_change"]["engage"] == pytest.approx((0.5 - 28.5) / 30, abs=1e-5)
    assert (api.store.served, api.log) == (served, log)
    assert api.get("/v1/weights").json()["revision"] == 0
    assert ids(api.get("/v1/feed/ada?limit=2")) == ["c29", "c28"]


def test_without_users_a_preview_takes_those_served_last(api) -> None:
    for user in ("ada", "bob", "eve", "ada"):
        api.get(f"/v1/feed/{user}?limit=1")

    answer = api.post("/v1/weights/preview", json={"weights": {"engage": 2}, "num_users": 2}).json()

    assert [entry["user_id"] for entry in answer["users"]] == ["ada", "eve"]
    assert answer["slates_unchanged"] == 2
    assert answer["contents_kept"] == 1


def test_a_preview_on_nobody_says_so(api) -> None:
    answer = api.post("/v1/weights/preview", json={"weights": {"engage": 2}})

    assert answer.status_code == 422
    assert answer.json()["detail"][0]["field"] == "users"
