"""Rows whose counters the learner must read wait for whoever writes those, and not for ever."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import numpy as np

from actors.awaited_counters import AwaitedCounters
from messages.updates import PullRequest, Span
from parameter_server.positions import BucketPositions

SPANS = {1: Span(start=5, end=9, feed_position=9, watermark=1.0, examples=4)}
LATER = {1: Span(start=9, end=12, feed_position=12, watermark=2.0, examples=3)}
READS = PullRequest("production", {}, counter_ids=np.array([7], dtype=np.uint64))
SERVED = PullRequest("production", {})


class Client:
    """Two shards whose counters stand where they are told to."""

    def __init__(self, *stands: int) -> None:
        self.stands = stands
        self.num_asked = 0

    async def positions(self, group: str) -> list[BucketPositions]:
        self.num_asked += 1
        found = []
        for position in self.stands:
            at = BucketPositions.beginning(np.arange(2), 2)
            examples = np.array([[0, position], [0, position + 3]])
            found.append(dataclasses.replace(at, examples=examples))
        return found


def knows(
    counters: AwaitedCounters, request: PullRequest | None = READS, spans: dict[int, Span] = SPANS
) -> bool:
    return asyncio.run(counters.know(spans, request))


def counters_over(client: Client, **words: Any) -> AwaitedCounters:
    return AwaitedCounters(client, **words)  # type: ignore[arg-type]


def test_rows_wait_until_the_slowest_bucket_knows_what_was_before_them() -> None:
    client = Client(5, 4)
    counters = counters_over(client)
    assert not knows(counters)
    client.stands = (5, 5)
    assert knows(counters)


def test_rows_with_served_features_wait_for_nothing() -> None:
    client = Client(0, 0)
    counters = counters_over(client)
    assert knows(counters, SERVED)
    assert knows(counters, None)
    assert client.num_asked == 0


def test_whoever_writes_the_counters_waits_for_nobody() -> None:
    client = Client(0, 0)
    assert knows(counters_over(client, are_own=True))
    assert client.num_asked == 0


def test_a_writer_that_does_not_follow_is_not_awaited_for_ever_and_again_once_it_does() -> None:
    now = 100.0
    client = Client(0, 0)
    counters = counters_over(client, patience_seconds=10.0, clock=lambda: now)
    assert not knows(counters)
    now = 110.0
    assert knows(counters)
    assert knows(counters), "the next does not wait either"
    client.stands = (5, 5)
    assert knows(counters)
    assert not knows(counters, spans=LATER)


def test_what_is_known_to_be_there_is_not_looked_at_again() -> None:
    client = Client(12, 20)
    counters = counters_over(client)
    assert counters.must_wait(SPANS, READS)
    assert knows(counters)
    assert knows(counters, spans=LATER)
    assert not counters.must_wait(LATER, READS)
    assert client.num_asked == 1
