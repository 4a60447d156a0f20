"""A person's events change their next feed, and only because the model learns."""

from __future__ import annotations

import time

import pytest
import ray

from foryou.client import Client
from foryou.system import System
from tests.e2e.conftest import DEADLINE_SECONDS, TOPICS, Person, wait_until_learned

pytestmark = pytest.mark.system
ROUNDS = 8


def learn_a_topic(client: Client, user_id: str, topic: str, patience: float) -> None:
    """Scroll, like one topic, and assert that the feed follows, under newer versions, repeating nothing."""
    person = Person(user_id, topic, client)
    feeds = []
    for _ in range(ROUNDS):
        feed = person.scroll()
        feeds.append(feed)
        wait_until_learned(client, feed["positions"], patience)
    shares = [person.share_of_topic(feed) for feed in feeds]
    first, last = sum(shares[:2]) / 2, max(shares[-3:])
    counters = [int(feed["model"]["version"].rpartition(".")[2]) for feed in feeds]
    assert counters == sorted(set(counters)), "each feed under a newer version than the one before"
    assert len(person.seen) == len(set(person.seen)), "no item twice"
    assert last >= first + 0.3, f"the share of {topic} went {shares}"
    for feed in feeds:
        scores = [item["score"] for item in feed["items"]]
        assert scores == sorted(scores, reverse=True), "the learned score is the only source of order"


def test_with_the_learner_stopped_the_feed_does_not_follow(system: System, client: Client) -> None:
    learner = system.actors.learner
    ray.get(learner.stop.remote())
    with pytest.raises(TimeoutError, match="not learned"):
        learn_a_topic(client, "nobody-learns-of-me", TOPICS[0], patience=2.0)
    ray.kill(learner, no_restart=False)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not system.actors.status()["learner"]["running"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("topic", TOPICS[:2])
def test_the_next_feed_holds_more_of_what_a_person_likes(client: Client, topic: str) -> None:
    learn_a_topic(client, f"fan-of-{topic}", topic, patience=DEADLINE_SECONDS)
