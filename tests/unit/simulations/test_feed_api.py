"""The HTTP API as simulated people use it: what is sent, what is read out, what is an error."""

import asyncio
import json
from collections.abc import Callable

import httpx
import pytest

from messages.events import parse_event
from simulations.feed_api import FeedApiError, HttpFeedApi, upload_event
from simulations.world import World, WorldSettings


def api_answering(answer: Callable[[httpx.Request], httpx.Response]) -> HttpFeedApi:
    return HttpFeedApi("http://feed.test", transport=httpx.MockTransport(answer))


def test_a_feed_is_read_out_of_the_answer() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert (request.url.path, request.url.params["limit"]) == ("/v1/feed/ada", "3")
        return httpx.Response(
            200,
            json={
                "request_id": "r1",
                "items": [{"content_id": "b", "score": 1.0}, {"content_id": "a", "score": 0.5}],
                "model": {"id": "production", "version": "a.17"},
                "watermark": {"time": 1.0, "partition": 3, "position": 1207},
            },
        )

    feed = asyncio.run(api_answering(answer).feed("ada", 3))
    assert feed.content_ids == ["b", "a"]
    assert (feed.request_id, feed.model_version, feed.partition, feed.position) == ("r1", "a.17", 3, 1207)


def test_events_are_sent_as_one_batch_and_their_positions_returned() -> None:
    events = [{"event_type": "like", "user_id": "ada", "content_id": "b", "timestamp": 1.0}]

    def answer(request: httpx.Request) -> httpx.Response:
        assert json.loads(request.content) == {"events": events}
        return httpx.Response(202, json={"accepted": 1, "refused": [], "positions": {"3": 12}})

    assert asyncio.run(api_answering(answer).post(events)) == {3: 12}


def test_an_event_that_is_not_accepted_is_an_error() -> None:
    refused = {
        "accepted": 1,
        "refused": [{"index": 1, "field": "user_id", "reason": "missing"}],
        "positions": {},
    }
    api = api_answering(lambda _: httpx.Response(202, json=refused))
    with pytest.raises(FeedApiError, match="2 events sent, 1 accepted"):
        asyncio.run(api.post([{}, {}]))


def test_positions_learned_are_read_from_the_status() -> None:
    status = {
        "partitions": {"0": {"examples": 4, "feed": 9, "watermark": 1.0}, "1": {"examples": 5, "feed": 7}}
    }
    api = api_answering(lambda _: httpx.Response(200, json=status))
    assert asyncio.run(api.learned_positions()) == {0: 9, 1: 7}


def test_a_refusal_names_status_and_reason() -> None:
    api = api_answering(lambda _: httpx.Response(503, text="the stream is full"))
    with pytest.raises(FeedApiError, match="GET /v1/feed/ada: 503 the stream is full"):
        asyncio.run(api.feed("ada", 1))


def test_a_broken_connection_is_the_same_kind_of_error() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("nobody there")

    with pytest.raises(FeedApiError, match="ConnectError nobody there"):
        asyncio.run(api_answering(answer).feed("ada", 1))


def test_an_upload_event_keeps_the_contract() -> None:
    facts = World(WorldSettings(num_people=1, num_contents=5)).catalogue(1_700_000_000.0)[3]
    event = json.loads(json.dumps(upload_event(facts)))
    accepted = parse_event(event)
    assert accepted["metadata"]["category"] == facts.metadata.category
    assert tuple(accepted["metadata"]["tags"]) == facts.metadata.tags
