"""GET /v1/feed: what it answers, and what is done before it answers."""

from __future__ import annotations

import pytest

from learners.user_state import UserState
from messages.examples import OUTPUTS
from messages.identifiers import keys_of, partition_of
from tests.fakes import NOW, content, replica_of


def ids(answer) -> list[str]:
    return [item["content_id"] for item in answer.json()["items"]]


def test_an_unknown_person_gets_the_best_contents(api) -> None:
    answer = api.get("/v1/feed/ada?limit=3")

    assert answer.status_code == 200
    assert ids(answer) == ["c29", "c28", "c27"]
    assert not answer.json()["exhausted"]


def test_an_item_says_what_it_is_and_why_it_is_there(api) -> None:
    item = api.get("/v1/feed/ada?limit=1").json()["items"][0]

    assert item == {
        "content_id": "c29",
        "creator_id": "u29",
        "category": "k2",
        "score": pytest.approx(29 / 30, abs=1e-6),
        "source": "two_tower",
        "reason": "close to what you watch",
    }


def test_the_answer_names_model_version_watermark_and_freshness(api) -> None:
    answer = api.get("/v1/feed/ada").json()
    partition = partition_of("ada", 4)

    assert answer["model"] == {"id": "fake", "version": "a.1"}
    assert answer["watermark"] == {"time": NOW - 1, "partition": partition, "position": 90 + partition}
    assert answer["freshness_ms"] == 2_000


def test_nothing_is_shown_twice_until_there_is_nothing_left_and_then_it_says_so(api) -> None:
    shown = [name for _ in range(3) for name in ids(api.get("/v1/feed/ada?limit=10"))]
    after = api.get("/v1/feed/ada?limit=10").json()

    assert len(set(shown)) == 30
    assert after["items"] == []
    assert after["exhausted"]
    assert after["exhausted_reason"] == "everything there is was served, watched or hidden before"


def test_a_short_answer_says_why(api) -> None:
    state = UserState.empty("ada")
    for index in range(25):
        state.apply({"event_type": "report", "content_id": f"x{index}", "creator_id": f"u{index}"}, NOW, None)
    api.store.states["ada"] = state.to_bytes()

    answer = api.get("/v1/feed/ada?limit=10").json()

    assert len(answer["items"]) == 5
    assert answer["exhausted"]
    assert "blocked_creator removed 25" in answer["exhausted_reason"]


def test_the_impression_is_acknowledged_and_the_slate_remembered_before_the_answer(api) -> None:
    answer = api.get("/v1/feed/ada?limit=2&device=phone&language=en").json()
    impression = api.publisher.impressions[0]

    assert api.log == ["impression", "served"]
    assert impression.request_id == answer["request_id"]
    assert impression.contents.content_ids == ["c29", "c28"]
    assert impression.context.device == "phone"
    assert str(impression.model) == "a.1"
    assert impression.features is not None
    assert len(impression.features) == len(impression.propensities) == len(impression.scores) == 2
    chances = impression.engage_chances
    assert chances is not None
    assert len(chances) == 2
    assert ((chances > 0) & (chances < 1)).all()
    assert api.store.served["ada"][0].tolist() == keys_of(["c29", "c28"]).tolist()
    assert impression.to_wire()["timestamp"] == NOW + 2


def test_request_ids_differ(api) -> None:
    requests = {api.get("/v1/feed/ada?limit=1").json()["request_id"] for _ in range(5)}

    assert len(requests) == 5


def test_explaining_adds_heads_propensity_and_stages(api) -> None:
    answer = api.get("/v1/feed/ada?limit=1&explain=true").json()
    item = answer["items"][0]

    assert set(item["heads"]) == set(OUTPUTS)
    assert item["heads"]["engage"] == pytest.approx(29 / 30, abs=1e-6)
    assert item["propensity"] == 1
    assert item["explored"] is False
    assert {stage["kind"] for stage in answer["stages"]} == {
        "source", "filter", "hydrator", "scorer", "selector", "exploration",
    }  # fmt: skip


def test_a_liked_content_is_named_as_the_reason(make_api) -> None:
    api = make_api(
        replica_of([content("liked"), content("other")], vectors={"liked": [1, 0, 0], "other": [1, 0, 0]})
    )
    state = UserState.empty("ada")
    state.apply({"event_type": "like", "content_id": "liked"}, NOW, None)
    api.store.states["ada"] = state.to_bytes()

    reasons = {item["content_id"]: item["reason"] for item in api.get("/v1/feed/ada?limit=2").json()["items"]}

    assert reasons["other"] == "like liked, which you liked"


def test_without_a_catalogue_the_list_is_empty(make_api) -> None:
    api = make_api(replica_of([]))
    answer = api.get("/v1/feed/ada")

    assert answer.status_code == 200
    assert answer.json()["items"] == []
    assert answer.json()["exhausted_reason"] == "the catalogue is empty"
    assert answer.json()["model"] == {"id": "fake", "version": "a.1"}
    assert api.publisher.impressions == []


def test_a_replica_that_has_no_model_yet_says_when_to_ask_again(empty_api) -> None:
    answer = empty_api.get("/v1/feed/ada")

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    assert "no version of the model has arrived yet" in answer.text
    assert empty_api.store.served == {}


def test_ids_may_hold_slashes_spaces_and_letters_of_any_language(api) -> None:
    answer = api.get("/v1/feed/тест%2Fa b?limit=1")

    assert answer.json()["user_id"] == "тест/a b"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=51", "limit"),
        ("limit=ten", "limit"),
        ("explain=perhaps", "explain"),
        (f"device={'x' * 101}", "device"),
        ("network_speed=nan", "network_speed"),
    ],
)
def test_a_parameter_out_of_bounds_is_named(api, query: str, field: str) -> None:
    answer = api.get(f"/v1/feed/ada?{query}")

    assert answer.status_code == 422
    assert [problem["field"] for problem in answer.json()["detail"]] == [field]
    assert answer.json()["detail"][0]["reason"]


def test_with_the_broker_away_nothing_is_answered_and_clients_are_told_to_try_again(api) -> None:
    api.publisher.failure = TimeoutError("no answer from the broker")

    answer = api.get("/v1/feed/ada")

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["detail"][0]["reason"] == "TimeoutError: no answer from the broker"
    assert api.store.served == {}  # a retry finds the same contents


def test_with_the_store_away_feeds_go_on_from_what_is_remembered(api) -> None:
    shown = ids(api.get("/v1/feed/ada?limit=5"))
    api.store.failure = ConnectionError("refused")

    pages = [api.get("/v1/feed/ada?limit=5"), api.get("/v1/feed/ada?limit=5")]
    newcomer = api.get("/v1/feed/somebody-else")

    assert [page.status_code for page in (*pages, newcomer)] == [200, 200, 200]
    assert all(page.json()["remembered"] for page in (*pages, newcomer))
    for page in pages:
        assert not set(shown) & set(ids(page))
        shown += ids(page)
    assert api.get("/v1/health").json()["warnings"] == [
        "feeds are made of what is remembered, the store is away: ConnectionError: refused"
    ]


def test_the_store_is_asked_for_rows_of_the_served_lineage(api) -> None:
    api.get("/v1/feed/ada")

    assert api.store.groups_asked == [["fake.a"]]


def test_asked_about_a_content_the_answer_says_how_it_scores_and_why_it_is_there_or_not(api) -> None:
    there = api.get("/v1/feed/ada?limit=3&about=c29").json()["about"]
    behind = api.get("/v1/feed/bob?limit=3&about=c0").json()["about"]
    served = api.get("/v1/feed/ada?limit=3&about=c29").json()["about"]
    unknown = api.get("/v1/feed/ada?limit=3&about=nothing").json()["about"]

    assert there["in_slate"]
    assert there["score"] == pytest.approx(29 / 30, abs=1e-6)
    assert set(there["heads"]) == set(OUTPUTS)
    assert not behind["in_slate"]
    assert behind["why"] == "it did not come among the first 3: by score it is number 30 of 30"
    assert behind["place_by_score"] == 30
    assert not any("place_by_score" in other for other in (there, served, unknown))
    assert served["why"] == "removed by the filter previously_served"
    assert unknown == {"content_id": "nothing", "in_slate": False, "why": "no such content is being served"}
