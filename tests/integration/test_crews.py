"""Joiners and learners that become more and fewer while events come: each is joined and learned once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from actors.connections import Connections, EndpointSettings
from actors.counter_writer import CounterWriter
from actors.crews import CrewKind, CrewStore
from actors.examples_follower import BatchingSettings
from actors.joiner_actor import JoinerActor
from actors.learner_actor import LearnerActor, LearnerSettings
from actors.parameter_client import ParameterClient
from learners.joiner import JoinerSettings
from tests.joined_traffic import CONTENTS, TRAINING, publish, publish_impressions, views, wait_for

USERS = [f"user-{index}" for index in range(12)]


def want(endpoints: EndpointSettings, kind: CrewKind, number: int) -> None:
    async def ask() -> None:
        async with await Connections.open(endpoints, "test") as connections:
            await CrewStore(connections.redis, connections.namespace).want(kind, number)

    asyncio.run(ask())


def generations(endpoints: EndpointSettings) -> set[int]:
    """Return by which crews of learners the partitions are owned."""

    async def ask() -> set[int]:
        async with await Connections.open(endpoints, "test") as connections:
            claimed = await CrewStore(connections.redis, connections.namespace).claimed("production")
            return set(claimed.values())

    return asyncio.run(ask())


def test_a_crew_that_grows_and_shrinks_in_the_middle_of_a_stream_learns_every_event_once(
    endpoints: EndpointSettings, client: ParameterClient, hosts: Any, started: Callable[[Any], Any]
) -> None:
    partitions = range(endpoints.num_partitions)
    joiners = [started(JoinerActor(endpoints, JoinerSettings(), partitions, member)) for member in range(2)]
    batching = BatchingSettings(max_rows=4)
    started(CounterWriter(endpoints, client, partitions, batching))
    learners = [
        started(
            LearnerActor(
                endpoints, client, partitions, TRAINING, LearnerSettings(member=member, batching=batching)
            )
        )
        for member in range(2)
    ]
    publish_impressions(endpoints, USERS)

    def held() -> list[set[int]]:
        return [set(joiner.status()["positions"]) for joiner in joiners]

    wait_for(lambda: held() == [set(partitions), set()], joiners[1].status)
    for number, content in enumerate(CONTENTS):
        if number in (1, 3):
            want(endpoints, "joiners", 2 if number == 1 else 1)
            want(endpoints, "learners", 2 if number == 1 else 1)
        if number == 2:
            wait_for(lambda: held() == [{0, 2}, {1, 3}], joiners[1].status)
            wait_for(lambda: generations(endpoints) == {1}, learners[1].status)
        publish(endpoints, views(USERS, [content]))
        if number == 2:
            wait_for(lambda: learners[1].status()["examples"] > 0, learners[1].status)
    expected = len(USERS) * len(CONTENTS)

    def applied() -> set[int]:
        return {int(host.positions("production").examples_applied().sum()) for host in hosts.values()}

    wait_for(lambda: applied() == {expected}, learners[0].status)
    wait_for(lambda: held() == [set(partitions), set()], joiners[1].status)
    # What is counted since a process began includes what it joined, or learned, of partitions that were no
    # longer its own: that was refused.
    assert sum(joiner.status()["joined"] for joiner in joiners) >= expected
    assert sum(learner.status()["examples"] for learner in learners) >= expected
    assert all(part.status()["running"] for part in (*joiners, *learners))
