"""Simulated people on a running system: over HTTP, with names of their own, and valid events."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from messages.events import parse_events
from simulations.feed_api import FeedApiError
from simulations.paired_runs import run_copy
from simulations.presets import PRESETS
from simulations.system_feed import RunningSystemFeed
from simulations.world import World


class FakeSystem:
    """Answers with what was uploaded, in order, nobody the same twice."""

    def __init__(self) -> None:
        self.uploads: list[str] = []
        self.events: list[dict[str, Any]] = []
        self.served: dict[str, int] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            accepted, refused = parse_events(json.loads(request.content)["events"])
            assert not refused
            for event in accepted:
                if event["event_type"] == "content_upload":
                    self.uploads.append(event["content_id"])
                else:
                    self.events.append(event)
            return httpx.Response(202, json={"accepted": len(accepted)})
        user_id = request.url.path.rsplit("/", 1)[1]
        first = self.served.get(user_id, 0)
        chosen = self.uploads[first : first + int(request.url.params["limit"])]
        self.served[user_id] = first + len(chosen)
        items = [{"content_id": content} for content in ["somebody-elses", *chosen]]
        return httpx.Response(200, json={"request_id": f"r{len(self.events)}", "items": items})


def test_a_world_runs_against_a_system_over_http() -> None:
    preset = PRESETS["cold-start"].with_size(people=6)
    world, system = World(preset.world), FakeSystem()
    with RunningSystemFeed("http://system", world, transport=httpx.MockTransport(system), name="run") as feed:
        record = run_copy(preset, world, feed, max_interactions=200)
    assert record.num_interactions >= 200
    assert {event["user_id"][:4] for event in system.events} == {"run-"}
    assert all(event["content_id"] in system.uploads for event in system.events)
    assert len(set(system.uploads)) == len(system.uploads) < len(world.contents)


def test_a_refusal_is_told() -> None:
    preset = PRESETS["steady"].with_size(people=3)
    world = World(preset.world)
    transport = httpx.MockTransport(lambda _: httpx.Response(503, text="the stream is full"))
    with (
        RunningSystemFeed("http://system", world, transport=transport) as feed,
        pytest.raises(FeedApiError, match="503 the stream is full"),
    ):
        run_copy(preset, world, feed)


def test_every_request_shows_the_key() -> None:
    preset = PRESETS["cold-start"].with_size(people=3)
    world, system = World(preset.world), FakeSystem()
    keys = set()

    def answer(request: httpx.Request) -> httpx.Response:
        keys.add(request.headers.get("X-API-Key"))
        return system(request)

    transport = httpx.MockTransport(answer)
    with RunningSystemFeed("http://system", world, transport=transport, key="a-key-of-theirs") as feed:
        run_copy(preset, world, feed, max_interactions=20)
    assert keys == {"a-key-of-theirs"}
