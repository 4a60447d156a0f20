"""How long an accepted event takes until an answer has learned it and scores differently for it."""

from __future__ import annotations

import statistics
import time

import pytest

from foryou.client import Client
from tests.e2e.conftest import DEADLINE_SECONDS

pytestmark = pytest.mark.system
NUM_EVENTS = 15
MAX_MEDIAN_SECONDS = 0.5


def score_of(client: Client, user_id: str, content_id: str) -> tuple[float, int]:
    """Return how a content scores for a person now, and the position of their partition in that model."""
    answer = client.feed(user_id, 1, about=content_id)
    return answer["about"]["score"], answer["watermark"]["position"]


def test_an_event_changes_what_is_served_within_half_a_second_at_the_median(client: Client) -> None:
    waited = []
    for number in range(NUM_EVENTS):
        user = f"impatient-{number}"  # each question shows one content more: one person would run out of them
        content = client.feed(user, 1)["items"][0]["content_id"]
        before, _ = score_of(client, user, content)
        answer = client.post_events(
            [
                {
                    "event_type": "view" if number % 2 else "skip",
                    "user_id": user,
                    "content_id": content,
                    "timestamp": time.time(),
                    "watch_duration": 1.0,
                }
            ]
        )
        accepted = time.monotonic()
        (position,) = answer["positions"].values()
        while True:
            score, learned = score_of(client, user, content)
            waited.append(time.monotonic() - accepted)
            if learned >= position and score != before:
                break
            assert waited.pop() < DEADLINE_SECONDS
    print(f"freshness: median {statistics.median(waited):.3f} s, worst {max(waited):.3f} s")
    assert statistics.median(waited) <= MAX_MEDIAN_SECONDS
