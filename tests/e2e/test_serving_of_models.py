"""Models side by side on a real system: shadow, canary, production, two ways back; no request fails."""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from foryou.client import ApiError, Client
from foryou.system import System
from tests.e2e.conftest import TOPICS, Person, wait_until_learned

pytestmark = pytest.mark.system
PATIENCE_SECONDS = 45.0
ROLLBACK_SECONDS = 5.0
MOST_READERS = 400
"""One in twenty sees a canary."""


class Reader(threading.Thread):
    """Asks for feeds all the while and keeps what went wrong."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = url
        self._over = threading.Event()
        self.num_feeds = 0
        self.failures: list[str] = []

    def run(self) -> None:
        with Client(self._url) as client:
            while not self._over.wait(0.05):
                try:
                    client.feed(f"visitor-{self.num_feeds}", 3)
                except (ApiError, httpx.HTTPError) as error:
                    self.failures.append(repr(error))
                self.num_feeds += 1

    def stop(self) -> None:
        self._over.set()
        self.join()


@pytest.fixture
def reader(system: System) -> Iterator[Reader]:
    started = Reader(system.http_url)
    started.start()
    yield started
    started.stop()


def seconds_until(condition: Callable[[], bool], patience: float = PATIENCE_SECONDS) -> float:
    """Poll until something holds, and return how long that took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < patience, "it did not come about"
        time.sleep(0.05)
    return time.monotonic() - started


def serving(client: Client) -> dict[str, Any]:
    model: dict[str, Any] = client.status()["model"]
    return model


def rows_compared(client: Client, model_id: str) -> int:
    """Return of how many rows both production and a shadow have spoken before they learned them."""
    verdict = client.model(model_id)["verdict"] or ""
    found = re.search(r"(\d+) rows compared", verdict)
    return 0 if found is None else int(found[1])


def test_a_candidate_becomes_production_and_is_rolled_back(client: Client, reader: Reader) -> None:
    client.create_model("candidate", settings={"model": {"learning_rate": 0.1}}, by="test", why="faster")
    fans = (Person(f"fan-{number}-of-models", TOPICS[1], client) for number in itertools.count())

    def was_compared() -> bool:
        next(fans).scroll()
        return rows_compared(client, "candidate") > 0

    seconds_until(was_compared)
    assert list(client.status()["models"]) == ["production"], "a shadow's answers reach nobody"

    client.change_model("candidate", "canary", by="test")
    seconds_until(lambda: client.status()["experiments"] == ["candidate"])
    answers: dict[str, dict[str, Any]] = {}
    arms = {"candidate/canary", "candidate/control"}
    for number in range(MOST_READERS):
        if {answer["arm"] for answer in answers.values()} >= arms:
            break
        answers[f"reader-{number}"] = client.feed(f"reader-{number}", 3)
    assert {answer["arm"] for answer in answers.values()} >= arms
    for person, answer in answers.items():
        is_canary = answer["arm"] == "candidate/canary"
        assert answer["model"]["id"] == ("candidate" if is_canary else "production")
        if answer["arm"] in arms:
            assert client.feed(person, 3)["arm"] == answer["arm"], "everybody stays in their arm"

    client.change_model("candidate", "promote", by="test")
    seconds_until(lambda: serving(client)["id"] == "candidate")
    client.roll_back(by="test", why="worse")
    assert seconds_until(lambda: serving(client)["id"] == "production") < ROLLBACK_SECONDS
    client.change_model("candidate", "retire", by="test")
    stages = {model["model_id"]: model["stage"] for model in client.models()["models"]}
    assert stages == {"production": "production"}
    assert reader.num_feeds > 0
    assert reader.failures == []


def test_production_goes_back_to_its_snapshot_in_a_new_lineage_and_learns_on(
    system: System, client: Client, reader: Reader
) -> None:
    fan = Person("fan-of-lineages", TOPICS[0], client)
    wait_until_learned(client, fan.scroll()["positions"])
    system.actors.write_snapshots()
    client.roll_back(by="test", why="a bad hour")
    took = seconds_until(lambda: serving(client)["lineage"] == "b")
    assert took < ROLLBACK_SECONDS, f"the snapshot's lineage answered after {took:.1f} s"
    positions = fan.scroll()["positions"]
    wait_until_learned(client, positions, PATIENCE_SECONDS)
    changes = client.model_changes()["changes"]
    assert [change["what"] for change in changes[-2:]] == [
        "production to stopped",
        "stopped to production, lineage b opened",
    ]
    assert reader.failures == []
