"""The clients: what they try again, what they raise, and how events are collected."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from foryou.client import ApiError, AsyncClient, AsyncEventBatch, Client, EventBatch, RetryPolicy


class Script:
    """Answers requests with the next of its script: a status, or an error to raise."""

    def __init__(self, *answers: int | Exception) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.pauses: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        headers = {"retry-after": "3"} if answer == 429 else {}
        return httpx.Response(answer, headers=headers, json={"refused": [], "accepted": 1})

    def client(self, **words: Any) -> Client:
        return Client("http://foryou", transport=httpx.MockTransport(self), sleep=self.pauses.append, **words)

    def call_async(self, call: Callable[[AsyncClient], Any]) -> Any:
        async def sleep(seconds: float) -> None:
            self.pauses.append(seconds)

        async def run() -> Any:
            async with AsyncClient(
                "http://foryou", transport=httpx.MockTransport(self), sleep=sleep
            ) as client:
                return await call(client)

        return asyncio.run(run())


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_what_was_refused_for_now_is_tried_again_when_the_server_says(kind: str) -> None:
    script = Script(429, 503, 200)

    answer = script.client().status() if kind == "sync" else script.call_async(lambda client: client.status())

    assert answer["accepted"] == 1
    assert script.pauses == [3.0, 0.4]
    assert len(script.requests) == 3


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_server_that_is_not_there_yet_is_asked_again_and_then_told_of(kind: str) -> None:
    script = Script(*[httpx.ConnectError("refused")] * 3)

    with pytest.raises(httpx.ConnectError):
        script.client().status() if kind == "sync" else script.call_async(lambda client: client.status())

    assert len(script.requests) == 3


@pytest.mark.parametrize("status", [400, 404, 409, 422, 500])
def test_what_asking_again_does_not_mend_is_raised_at_once(status: int) -> None:
    script = Script(status)

    with pytest.raises(ApiError, match=str(status)):
        script.client().weights()
    assert script.pauses == []


def test_after_the_last_retry_the_refusal_is_raised() -> None:
    script = Script(503, 503)

    with pytest.raises(ApiError, match="503"):
        script.client(retry=RetryPolicy(retries=1)).health()


def test_ids_are_quoted_and_the_key_is_sent() -> None:
    script = Script(200)
    script.client(key="secret-key").feed("a/b c?d", 5)

    (request,) = script.requests
    assert request.url.raw_path.startswith(b"/v1/feed/a%2Fb%20c%3Fd?limit=5")
    assert request.headers["x-api-key"] == "secret-key"


def test_events_go_in_batches_and_the_rest_at_the_end() -> None:
    script = Script(200, 200)
    with script.client() as client, EventBatch(client, size=3) as batch:
        for number in range(5):
            batch.add({"event_type": "like", "content_id": f"c{number}"})

    sizes = [len(json.loads(request.content)["events"]) for request in script.requests]
    assert sizes == [3, 2]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_events_that_could_not_be_sent_are_kept(kind: str) -> None:
    script = Script(500, 200)
    event = {"event_type": "like", "content_id": "c"}
    if kind == "sync":
        batch = EventBatch(script.client(), size=1)
        with pytest.raises(ApiError):
            batch.add(event)
        batch.flush()
    else:

        async def send(client: AsyncClient) -> None:
            batch = AsyncEventBatch(client, size=1)
            with pytest.raises(ApiError):
                await batch.add(event)
            await batch.flush()

        script.call_async(send)

    assert [json.loads(request.content)["events"] for request in script.requests] == [[event], [event]]


def test_refused_events_are_told_of_beside_their_reason() -> None:
    def refuse(_request: httpx.Request) -> httpx.Response:
        refused = [{"index": 1, "field": "content_id", "reason": "Field required"}]
        return httpx.Response(202, json={"accepted": 1, "refused": refused})

    with (
        Client("http://foryou", transport=httpx.MockTransport(refuse)) as client,
        EventBatch(client) as batch,
    ):
        batch.add({"event_type": "like"})
        batch.add({"event_type": "save"})
        batch.flush()

    assert batch.refused[0]["event"] == {"event_type": "save"}
    assert batch.refused[0]["reason"] == "Field required"


def acceptable(event: dict[str, Any]) -> bool:
    return "content_id" in event


def answered(request: httpx.Request) -> httpx.Response:
    """Answer as the API does: 422 for more than is taken at once, and where no event is acceptable."""
    events = json.loads(request.content)["events"]
    if len(events) > 2:
        return httpx.Response(422, json={"detail": [{"field": "events", "reason": "at most 2"}]})
    refused = [
        {"index": index, "field": "content_id", "reason": "Field required"}
        for index, event in enumerate(events)
        if not acceptable(event)
    ]
    if len(refused) == len(events):
        return httpx.Response(422, json={"detail": refused})
    return httpx.Response(202, json={"accepted": len(events) - len(refused), "refused": refused})


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_what_gathered_while_nobody_answered_is_sent_in_batches_that_are_taken(kind: str) -> None:
    taken: list[int] = []
    is_up = False

    def answer(request: httpx.Request) -> httpx.Response:
        if not is_up:
            return httpx.Response(500)
        taken.append(len(json.loads(request.content)["events"]))
        return answered(request)

    events = [{"event_type": "like", "content_id": f"c{number}"} for number in range(5)]
    if kind == "sync":
        batch = EventBatch(Client("http://foryou", transport=httpx.MockTransport(answer)), size=2)
        for event in events:
            with contextlib.suppress(ApiError):
                batch.add(event)
        is_up = True
        batch.flush()
    else:

        async def send() -> None:
            nonlocal is_up
            client = AsyncClient("http://foryou", transport=httpx.MockTransport(answer))
            batch = AsyncEventBatch(client, size=2)
            for event in events:
                with contextlib.suppress(ApiError):
                    await batch.add(event)
            is_up = True
            await batch.flush()

        asyncio.run(send())

    assert taken == [2, 2, 1]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_batch_of_which_no_event_is_acceptable_does_not_hold_up_the_next(kind: str) -> None:
    transport = httpx.MockTransport(answered)
    events = [{"event_type": "like"}, {"event_type": "save"}, {"event_type": "like", "content_id": "c"}]
    if kind == "sync":
        with EventBatch(Client("http://foryou", transport=transport), size=2) as batch:
            for event in events:
                batch.add(event)
        refused = batch.refused
    else:

        async def send() -> list[dict[str, Any]]:
            async with AsyncEventBatch(AsyncClient("http://foryou", transport=transport), size=2) as batch:
                for event in events:
                    await batch.add(event)
            return batch.refused

        refused = asyncio.run(send())

    assert [refusal["event"] for refusal in refused] == events[:2]


def test_a_refusal_says_what_is_wrong_in_words() -> None:
    def refuse(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(422, json={"detail": [{"field": "weights.foo", "reason": "no such signal"}]})

    with pytest.raises(ApiError) as caught:
        Client("http://foryou", transport=httpx.MockTransport(refuse)).set_weights({"foo": 1})

    assert str(caught.value) == "PUT /v1/weights: 422 weights.foo: no such signal"
    assert caught.value.status == 422
    assert caught.value.detail == [{"field": "weights.foo", "reason": "no such signal"}]


def test_an_answer_of_something_in_front_of_the_api_is_told_as_it_is() -> None:
    def refuse(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(502, text="<h1>Bad Gateway</h1>")

    with pytest.raises(ApiError, match="502 <h1>Bad Gateway") as caught:
        Client("http://foryou", transport=httpx.MockTransport(refuse)).health()
    assert caught.value.detail == []


def test_a_content_can_be_put_with_the_time_of_its_upload() -> None:
    script = Script(200)
    script.client().put_content("c", "grace", timestamp=1_764_000_000.0, category="music")

    body = {"creator_id": "grace", "metadata": {"category": "music"}, "timestamp": 1_764_000_000.0}
    assert json.loads(script.requests[0].content) == body
