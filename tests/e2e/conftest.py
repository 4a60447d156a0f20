"""One whole system on real parts for the end-to-end tests, and a person who uses it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from foryou.client import Client
from foryou.settings import SystemSettings, load_settings
from foryou.system import System

TOPICS = ("cats", "chess", "cooking", "cycling")
CONTENTS_PER_TOPIC = 90  # more than a test scrolls through: a topic that runs out looks like one not learned
DEADLINE_SECONDS = 20.0
FEED_SIZE = 10


def settings_for(folder: Any, **sections: Any) -> SystemSettings:
    """A system of its own in `folder`, whose only source of order is the learned score."""
    flags: dict[str, Any] = {
        "services": {"state": str(folder)},
        "http": {"port": 0},
        "streams": {"max_bytes": 2**28, "max_dead_bytes": 2**20},
        "feed": {"pipeline": {"learned_order_only": True}},
        **sections,
    }
    return load_settings(flags=flags, environment={})


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("system")
    archive = {"uri": str(folder / "archive"), "max_wait_seconds": 1.0}
    with System(settings_for(folder, archive=archive)) as running:
        with Client(running.http_url) as client:
            fill_catalogue(client)
        yield running


@pytest.fixture
def client(system: System) -> Iterator[Client]:
    with Client(system.http_url) as connected:
        yield connected


def fill_catalogue(client: Client) -> None:
    """Upload contents of every topic and wait until the last is served."""
    events = [
        {
            "event_type": "content_upload",
            "creator_id": f"{topic}-creator-{number % 5}",
            "content_id": f"{topic}-{number}",
            "timestamp": time.time(),
            "metadata": {"category": topic, "tags": [topic], "duration": 20.0},
        }
        for topic in TOPICS
        for number in range(CONTENTS_PER_TOPIC)
    ]
    client.post_events(events)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while client.status()["replica"]["contents"] < len(events):
        assert time.monotonic() < deadline, client.status()
        time.sleep(0.05)


@dataclass(slots=True)
class Person:
    """Scrolls: watches and likes one topic, skips the rest."""

    user_id: str
    topic: str
    client: Client
    seen: list[str] = field(default_factory=list)

    def scroll(self) -> dict[str, Any]:
        """Ask for one feed, react to every item, and return the feed with the positions of the reactions."""
        feed = self.client.feed(self.user_id, FEED_SIZE)
        self.seen += [item["content_id"] for item in feed["items"]]
        now = time.time()
        events: list[dict[str, Any]] = []
        for item in feed["items"]:
            about = {
                "user_id": self.user_id,
                "content_id": item["content_id"],
                "request_id": feed["request_id"],
                "timestamp": now,
            }
            if item["category"] == self.topic:
                events += [
                    {"event_type": "view", "watch_duration": 20.0, **about},
                    {"event_type": "like", **about},
                ]
            else:
                events.append({"event_type": "skip", "watch_duration": 1.0, **about})
        answer = self.client.post_events(events) if events else {"positions": {}}
        return feed | {"positions": answer["positions"]}

    def share_of_topic(self, feed: dict[str, Any]) -> float:
        items = feed["items"]
        return sum(item["category"] == self.topic for item in items) / max(len(items), 1)


def wait_until_learned(client: Client, positions: dict[str, int], timeout: float = DEADLINE_SECONDS) -> None:
    """Poll until the serving model has learned everything up to these FEED positions."""
    deadline = time.monotonic() + timeout
    while True:
        learned = client.status()["partitions"]
        if all(learned[partition]["feed"] >= position for partition, position in positions.items()):
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"not learned in {timeout} s: {positions}")
        time.sleep(0.01)
