"""POST /v1/events: all, some or none of a batch is accepted, and the answer says which."""

from __future__ import annotations

from typing import Any

import pytest

from messages.identifiers import partition_of
from tests.fakes import NOW


def like(user_id: str = "ada", **fields: Any) -> dict[str, Any]:
    return {"event_type": "like", "user_id": user_id, "content_id": "c1", "timestamp": NOW, **fields}


UPLOAD = {
    "event_type": "content_upload",
    "creator_id": "grace",
    "content_id": "c99",
    "timestamp": NOW,
    "metadata": {"category": "music"},
}


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_batch_is_accepted_whole_with_the_positions_it_reached(api, wrapped: bool) -> None:
    batch = [like("ada"), like("bob")]
    answer = api.post("/v1/events", json={"events": batch} if wrapped else batch)

    assert answer.status_code == 202
    body = answer.json()
    assert (body["accepted"], body["refused"]) == (2, [])
    assert set(body["positions"]) == {str(partition_of(user, 4)) for user in ("ada", "bob")}
    assert [event["user_id"] for event in api.publisher.events] == ["ada", "bob"]
    assert all(event["event_id"] for event in api.publisher.events)


def test_what_is_valid_is_accepted_beside_what_is_not(api) -> None:
    view = {"event_type": "view", "user_id": "ada", "content_id": "c1", "timestamp": NOW}
    answer = api.post("/v1/events", json=[view, like()])

    assert answer.status_code == 202
    assert answer.json()["accepted"] == 1
    assert answer.json()["refused"] == [{"index": 0, "field": "watch_duration", "reason": "Field required"}]


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (like(timestamp=-1), "timestamp"),
        (like(colour="red"), "colour"),
        (like(event_type="dance"), "event_type"),
        ({**like(), "content_id": ""}, "content_id"),
        ("no event", ""),
        (None, ""),
    ],
)
def test_a_batch_without_a_valid_event_is_refused_naming_field_and_reason(
    api, event: Any, field: str
) -> None:
    answer = api.post("/v1/events", json=[event])

    assert answer.status_code == 422
    assert answer.json()["detail"][0]["field"] == field
    assert answer.json()["detail"][0]["reason"]
    assert answer.json()["detail"][0]["index"] == 0
    assert api.publisher.events == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"{", "body"),
        (b"\xff\xfe", "body"),
        (b"[" * 3_000, "body"),
        (b"7", "events"),
        (b'{"event": []}', "events"),
        (b'{"events": {}}', "events"),
        (b"[]", "events"),
        (b"[1, 2, 3, 4]", "events"),
    ],
)
def test_a_body_that_is_no_batch_is_refused(api, body: bytes, field: str) -> None:
    answer = api.post("/v1/events", content=body)

    assert answer.status_code == 422
    assert answer.json()["detail"][0]["field"] == field


def test_a_body_over_the_limit_is_refused_by_its_declared_length(api) -> None:
    answer = api.post("/v1/events", content=b" " * 5_000)

    assert answer.status_code == 413
    assert answer.json()["detail"] == [{"field": "body", "reason": "at most 4096 bytes are taken"}]


def test_a_body_over_the_limit_is_refused_when_it_comes_in_pieces(api) -> None:
    async def pieces():
        for _ in range(10):
            yield b" " * 1_000

    assert api.post("/v1/events", content=pieces()).status_code == 413


def test_an_upload_reaches_the_catalogue_before_the_broker(api) -> None:
    assert api.post("/v1/events", json=[UPLOAD]).status_code == 202
    assert api.log == ["catalogue", "events"]
    assert api.catalogue.contents["c99"].metadata.category == "music"


def test_with_the_broker_away_the_batch_is_to_be_sent_again(api) -> None:
    api.publisher.failure = ConnectionError("the stream is full")

    answer = api.post("/v1/events", json=[like()])

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert "the stream is full" in answer.json()["detail"][0]["reason"]


def test_times_in_milliseconds_and_iso_form_are_mended(api) -> None:
    api.post("/v1/events", json=[like(timestamp=NOW * 1_000), like(timestamp="2026-01-01T00:00:00Z")])

    assert [event["timestamp"] for event in api.publisher.events] == [NOW, 1_767_225_600.0]
