"""The freshness probe: asks an onlooker's feed until the event is in it."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from messages.identifiers import partition_of
from simulations.feed_api import FeedAnswer, FeedApiError
from simulations.freshness_probe import FreshnessProbe


class LateApi:
    """Has learned position 10 of every partition from the `late`-th answer on."""

    def __init__(self, late: int, *, num_partitions: int = 4, failures: int = 0) -> None:
        self.users: list[str] = []
        self._late = late
        self._num_partitions = num_partitions
        self._failures = failures

    async def feed(self, user_id: str, limit: int) -> FeedAnswer:
        self.users.append(user_id)
        if self._failures:
            self._failures -= 1
            raise FeedApiError("503")
        position = 10 if len(self.users) >= self._late else 9
        return FeedAnswer("r", ["a"], "a.1", partition_of(user_id, self._num_partitions), position)

    async def post(self, events: Sequence[Mapping[str, Any]]) -> dict[int, int]:
        return {}

    async def learned_positions(self) -> dict[int, int]:
        return {}


async def measure(probe: FreshnessProbe, api: LateApi, until: int = 1) -> None:
    running = asyncio.create_task(probe.run())
    while probe.num_measured + probe.num_failures < until and not running.done():
        probe.accepted({2: 10})
        await asyncio.sleep(0)
    if running.done():
        running.result()
    running.cancel()


def test_the_time_ends_with_the_first_answer_that_has_learned_the_event() -> None:
    api = LateApi(late=3)
    probe = FreshnessProbe(api, num_partitions=4, pause_seconds=0)
    asyncio.run(measure(probe, api))
    assert len(api.users) == 3
    assert {partition_of(user, 4) for user in api.users} == {2}
    assert 20 <= probe.quantile(0.5) < 1_000  # two polls lie between


def test_a_refused_question_is_counted_and_the_next_event_measured() -> None:
    api = LateApi(late=1, failures=1)
    probe = FreshnessProbe(api, num_partitions=4, pause_seconds=0)
    asyncio.run(measure(probe, api, until=2))
    assert (probe.num_failures, probe.num_measured) == (1, 1)


def test_another_number_of_partitions_is_an_error() -> None:
    api = LateApi(late=1, num_partitions=1)
    probe = FreshnessProbe(api, num_partitions=4, pause_seconds=0)
    with pytest.raises(ValueError, match="another number of partitions"):
        asyncio.run(measure(probe, api))
