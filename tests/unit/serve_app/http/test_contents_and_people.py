"""PUT, GET and DELETE of contents; what is known of people."""

from __future__ import annotations

import pytest

from learners.user_state import UserState
from learners.watch_outcome import ContentTraits
from messages.identifiers import key_of, keys_of
from tests.fakes import NOW, content, delta


def test_a_content_is_in_the_catalogue_at_once_and_its_upload_is_published(api) -> None:
    metadata = {"category": "music", "tags": ["piano"], "duration": 31}
    answer = api.put("/v1/content/new", json={"creator_id": "grace", "metadata": metadata})

    assert answer.status_code == 200
    assert api.log == ["catalogue", "events"]
    assert api.publisher.events[0]["event_type"] == "content_upload"
    assert len(answer.json()["positions"]) == 1
    assert api.get("/v1/content/new").json() == {
        "content_id": "new",
        "creator_id": "grace",
        "upload_timestamp": NOW + 2,
        "metadata": metadata,
    }


def test_a_content_put_again_keeps_its_upload_time_unless_one_is_given(api) -> None:
    api.put("/v1/content/new", json={"creator_id": "grace", "timestamp": NOW - 50})
    api.put("/v1/content/new", json={"creator_id": "grace", "metadata": {"category": "art"}})

    content = api.get("/v1/content/new").json()
    assert content["upload_timestamp"] == NOW - 50
    assert content["metadata"] == {"category": "art"}


def test_a_content_that_is_not_there_is_not_found(api) -> None:
    answer = api.get("/v1/content/none")

    assert answer.status_code == 404
    assert answer.json() == {"detail": [{"field": "content_id", "reason": "there is no such content"}]}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "creator_id"),
        ({"creator_id": ""}, "creator_id"),
        ({"creator_id": "grace", "metadata": {"duration": -1}}, "metadata.duration"),
        ({"creator_id": "grace", "metadata": {"tags": ["x"] * 33}}, "metadata.tags"),
        ({"creator_id": "grace", "colour": "red"}, "colour"),
        ({"creator_id": "grace", "timestamp": "yesterday"}, "timestamp"),
    ],
)
def test_a_content_with_a_wrong_field_is_refused_by_name(api, body: dict, field: str) -> None:
    answer = api.put("/v1/content/new", json=body)

    assert answer.status_code == 422
    assert answer.json()["detail"][0]["field"] == field
    assert api.log == []


def test_an_id_that_is_too_long_is_refused(api) -> None:
    answer = api.put(f"/v1/content/{'x' * 201}", json={"creator_id": "grace"})

    assert answer.status_code == 422
    assert answer.json()["detail"][0]["field"] == "content_id"


def feed_ids(api, user: str, limit: int = 30) -> list[str]:
    return [item["content_id"] for item in api.get(f"/v1/feed/{user}?limit={limit}").json()["items"]]


def test_a_deleted_content_is_in_no_feed_from_that_moment_on(api) -> None:
    api.put("/v1/content/c29", json={"creator_id": "u29"})
    answer = api.request("DELETE", "/v1/content/c29")

    assert (answer.status_code, answer.content) == (204, b"")
    assert "c29" not in feed_ids(api, "ada")
    assert api.get("/v1/content/c29").status_code == 404
    assert api.request("DELETE", "/v1/content/c29").status_code == 404


def test_a_deleted_content_that_a_delta_under_way_brings_back_is_withdrawn_again(api) -> None:
    api.request("DELETE", "/v1/content/c29")
    assert len(feed_ids(api, "ada")) == 29

    api.replica.apply_whole(delta(2, previous=1, contents=[content("c29")]))

    assert "c29" not in feed_ids(api, "bob")


def test_a_deleted_content_put_again_comes_back_with_its_delta(api) -> None:
    api.request("DELETE", "/v1/content/c29")
    assert "c29" not in feed_ids(api, "ada")
    api.put("/v1/content/c29", json={"creator_id": "u29"})
    api.replica.apply_whole(delta(2, previous=1, contents=[content("c29")]))

    assert "c29" in feed_ids(api, "bob")


PROFILE = {
    "demographics": {"age_group": "25-34", "language": "de"},
    "preferences": {"categories": ["k1"], "creators_followed": ["u3"]},
}


def test_a_profile_is_read_back_with_what_events_have_said(api) -> None:
    state = UserState.empty("ada")
    state.apply({"event_type": "view", "content_id": "c1", "watch_duration": 30.0}, NOW, None)
    api.store.states["ada"] = state.to_bytes()
    api.store.served["ada"] = [keys_of(["c1", "c2"])]

    assert api.put("/v1/users/ada", json=PROFILE).json() == {"user_id": "ada", **PROFILE}

    answer = api.get("/v1/users/ada").json()
    assert answer["demographics"] == PROFILE["demographics"]
    assert answer["preferences"] == PROFILE["preferences"]
    assert answer["activity"]["contents_watched"] == 1
    assert answer["activity"]["served"] == 2
    assert answer["activity"]["last_event_time"] == NOW


def test_what_is_known_of_a_person_names_preferences_history_and_sessions(api) -> None:
    state = UserState.empty("ada")
    music = ContentTraits(key_of("c1"), key_of("u1"), key_of("k1"), 30.0)
    state.apply({"event_type": "like", "content_id": "c1"}, NOW - 4_000, music)
    state.apply({"event_type": "view", "content_id": "c1", "watch_duration": 30.0}, NOW - 4_000, music)
    state.apply({"event_type": "skip", "content_id": "gone", "watch_duration": 1.0}, NOW, None)
    api.store.states["ada"] = state.to_bytes()

    answer = api.get("/v1/users/ada").json()

    (category,) = answer["preference_weights"]["categories"]
    assert (category["name"], category["weight"]) == ("k1", pytest.approx(1.0, abs=0.01))
    assert answer["preference_weights"]["creators"][0]["name"] == "u1"
    assert answer["history"] == [
        {"content_id": None, "engaged": False},
        {"content_id": "c1", "engaged": True},
    ]
    assert answer["sessions"]["count"] == 2
    assert answer["sessions"]["average_contents"] == 1
    assert answer["sessions"]["last"] == {"started": NOW, "last_event_time": NOW, "contents": 1}


def test_somebody_never_heard_of_is_not_found(api) -> None:
    assert api.get("/v1/users/nobody").status_code == 404


def test_stated_preferences_bring_contents_into_the_first_feed(api) -> None:
    api.put("/v1/users/ada", json=PROFILE)

    items = api.get("/v1/feed/ada?limit=30").json()["items"]

    reasons = {item["content_id"]: item["reason"] for item in items}
    assert reasons["c3"] == "by a creator you follow"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"demographics": {"age": "30"}}, "demographics.age"),
        ({"preferences": {"categories": [""]}}, "preferences.categories.0"),
        ({"preferences": {"categories": "music"}}, "preferences.categories"),
    ],
)
def test_a_profile_with_a_wrong_field_is_refused_by_name(api, body: dict, field: str) -> None:
    answer = api.put("/v1/users/ada", json=body)

    assert answer.status_code == 422
    assert answer.json()["detail"][0]["field"] == field


def test_with_the_store_away_a_profile_is_to_be_put_again(api) -> None:
    api.store.failure = ConnectionError("refused")

    assert api.put("/v1/users/ada", json=PROFILE).status_code == 503
