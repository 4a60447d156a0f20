"""Whole workers whose owner changed, whose store lost its tail, whose stream was trimmed or made anew."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from actors.connections import Connections, EndpointSettings
from actors.counter_writer import CounterWriter
from actors.crews import share_of
from actors.epochs import epoch_key
from actors.examples_follower import BatchingSettings
from actors.joiner_actor import JoinerActor
from actors.learner_actor import LearnerActor, LearnerSettings
from actors.parameter_client import ParameterClient
from actors.streams import StreamSettings, delete_streams, ensure_streams
from learners.joiner import JoinerSettings
from tests.joined_traffic import (
    CONTENTS,
    TRAINING,
    publish,
    publish_impressions,
    total_views,
    views,
    wait_for,
)

USERS = [f"user-{index}" for index in range(10)]
BATCHING = BatchingSettings(max_rows=16)
LIMITS = StreamSettings(max_bytes=2**24, max_dead_bytes=2**20)


async def stored(endpoints: EndpointSettings) -> dict[bytes, bytes]:
    """Return states and positions as the store has them."""
    async with await Connections.open(endpoints, "test") as connections:
        keys: list[bytes] = []
        for kind in ("state", "join", "position"):
            keys += [key async for key in connections.redis.scan_iter(connections.namespace.key(kind, "*"))]
        return dict(zip(keys, await connections.redis.mget(keys), strict=True)) if keys else {}


async def put_back(endpoints: EndpointSettings, values: dict[bytes, bytes]) -> None:
    """Let the store have lost everything but these."""
    async with await Connections.open(endpoints, "test") as connections:
        later = [key for key in await stored(endpoints) if key not in values]
        if later:
            await connections.redis.delete(*later)
        await connections.redis.mset(values)


def learners_epoch(endpoints: EndpointSettings) -> int:
    async def read() -> int:
        async with await Connections.open(endpoints, "test") as connections:
            return int(await connections.redis.get(epoch_key(connections, share_of("production", 0))))

    return asyncio.run(read())


def test_of_two_joiners_the_later_one_goes_on_and_the_zombie_stays_down(
    endpoints: EndpointSettings, client: ParameterClient, started: Callable[[Any], Any]
) -> None:
    partitions = range(endpoints.num_partitions)
    started(CounterWriter(endpoints, client, partitions, BATCHING))
    zombie = started(JoinerActor(endpoints, JoinerSettings(), partitions))
    publish(endpoints, views(USERS, CONTENTS[:1]))
    wait_for(lambda: total_views(client) == len(USERS), zombie.status)
    successor = started(JoinerActor(endpoints, JoinerSettings(), partitions))
    wait_for(lambda: bool(successor.status()["positions"]), successor.status)
    for content in CONTENTS[1:]:
        publish(endpoints, views(USERS, [content]))  # whoever comes second to a partition is refused
    wait_for(lambda: not zombie.status()["running"], zombie.status)
    assert "OvertakenError: joiner#" in zombie.status()["failure"]
    expected = len(USERS) * len(CONTENTS)
    wait_for(lambda: total_views(client) == expected, successor.status)
    wait_for(lambda: successor.status()["failure"] is None, successor.status)
    assert successor.status()["running"]


def test_of_two_learners_the_later_one_goes_on_and_every_event_counts_once(
    endpoints: EndpointSettings, client: ParameterClient, hosts: Any, started: Callable[[Any], Any]
) -> None:
    partitions = range(endpoints.num_partitions)
    started(JoinerActor(endpoints, JoinerSettings(), partitions))
    started(CounterWriter(endpoints, client, partitions, BATCHING))
    publish_impressions(endpoints, USERS)
    zombie = started(LearnerActor(endpoints, client, partitions, TRAINING, LearnerSettings()))
    publish(endpoints, views(USERS, CONTENTS[:2]))
    wait_for(lambda: zombie.status()["examples"] == 2 * len(USERS), zombie.status)
    before = learners_epoch(endpoints)
    successor = started(LearnerActor(endpoints, client, partitions, TRAINING, LearnerSettings()))
    wait_for(lambda: learners_epoch(endpoints) > before, successor.status)
    for content in CONTENTS[2:]:
        publish(endpoints, views(USERS, [content]))
    wait_for(lambda: not zombie.status()["running"], zombie.status)
    assert "OvertakenError: production" in zombie.status()["failure"]
    expected = len(USERS) * len(CONTENTS)

    def applied() -> set[int]:
        return {int(host.positions("production").examples_applied().sum()) for host in hosts.values()}

    wait_for(lambda: applied() == {expected}, successor.status)
    assert successor.status()["running"]


def test_a_store_that_lost_its_tail_gets_the_same_states_again(
    endpoints: EndpointSettings, client: ParameterClient, started: Callable[[Any], Any]
) -> None:
    partitions = range(endpoints.num_partitions)
    joiner = started(JoinerActor(endpoints, JoinerSettings(), partitions))
    publish_impressions(endpoints, USERS)
    publish(endpoints, views(USERS, CONTENTS[:2]))
    wait_for(lambda: joiner.status().get("joined") == 2 * len(USERS), joiner.status)
    older = asyncio.run(stored(endpoints))
    for content in CONTENTS[2:]:
        publish(endpoints, views(USERS, [content]))
    expected = len(USERS) * len(CONTENTS)
    wait_for(lambda: joiner.status().get("joined") == expected, joiner.status)
    wait_for(lambda: joiner.status()["failure"] is None, joiner.status)
    newest = asyncio.run(stored(endpoints))
    assert newest != older
    asyncio.run(put_back(endpoints, older))
    publish(endpoints, views(USERS, CONTENTS[:1]))  # all known: what moves is found out to be moved back
    wait_for(lambda: joiner.status()["restarts"] > 0, joiner.status)

    def settled() -> bool:
        now = asyncio.run(stored(endpoints))
        return all(now.get(key) == value for key, value in newest.items() if b":state:" in key)

    wait_for(settled, joiner.status)
    assert joiner.status()["running"]
    assert joiner.status()["examples"] == expected, "nothing was appended twice"


def test_a_joiner_whose_stream_was_trimmed_while_it_was_away_stays_down_and_says_why(
    endpoints: EndpointSettings, started: Callable[[Any], Any], monkeypatch: Any
) -> None:
    monkeypatch.setattr("actors.stream_reader._CHECK_SECONDS", 0.0)
    monkeypatch.setattr("actors.joiner_actor._NOTE_SECONDS", 0.0)
    partitions = range(endpoints.num_partitions)
    joiner = started(JoinerActor(endpoints, JoinerSettings(), partitions))
    publish(endpoints, views(USERS, CONTENTS[:1]))
    wait_for(lambda: joiner.status()["examples"] == len(USERS), joiner.status)

    async def noted() -> bool:
        async with await Connections.open(endpoints, "test") as connections:
            info = await connections.js.stream_info(connections.namespace.feed_stream)
            values = await connections.redis.mget(
                [connections.namespace.key("feed-read", partition) for partition in partitions]
            )
            return all(value is not None and int(value) >= info.state.last_seq for value in values)

    wait_for(lambda: asyncio.run(noted()), joiner.status)
    joiner.stop()
    for content in CONTENTS[1:4]:
        publish(endpoints, views(USERS, [content]))

    async def trim() -> None:
        async with await Connections.open(endpoints, "test") as connections:
            stream = connections.namespace.feed_stream
            last = (await connections.js.stream_info(stream)).state.last_seq
            await connections.js.purge_stream(stream, seq=last)

    asyncio.run(trim())
    late = started(JoinerActor(endpoints, JoinerSettings(), partitions))
    wait_for(lambda: not late.status()["running"], late.status)
    assert "StreamTrimmedError" in late.status()["failure"]
    assert "foryou rebuild" in late.status()["failure"]


def test_a_learner_whose_stream_was_made_anew_stays_down_and_says_why(
    endpoints: EndpointSettings, client: ParameterClient, started: Callable[[Any], Any], monkeypatch: Any
) -> None:
    monkeypatch.setattr("actors.stream_reader._CHECK_SECONDS", 0.0)
    partitions = range(endpoints.num_partitions)
    joiner = started(JoinerActor(endpoints, JoinerSettings(), partitions))
    learner = started(LearnerActor(endpoints, client, partitions, TRAINING, LearnerSettings()))
    publish(endpoints, views(USERS, CONTENTS[:2]))
    wait_for(lambda: learner.status()["examples"] == 2 * len(USERS), learner.status)
    joiner.stop()

    async def make_anew() -> None:
        async with await Connections.open(endpoints, "test") as connections:
            await delete_streams(connections.js, connections.namespace)
            await ensure_streams(connections.js, connections.namespace, LIMITS)

    asyncio.run(make_anew())
    wait_for(lambda: not learner.status()["running"], learner.status)
    assert "StreamRecreatedError" in learner.status()["failure"]
    late = started(JoinerActor(endpoints, JoinerSettings(), partitions))
    wait_for(lambda: not late.status()["running"], late.status)
    assert "Error" in late.status()["failure"]


def test_a_joiner_whose_feed_was_made_anew_stays_down_and_joins_nothing_of_the_new_one(
    endpoints: EndpointSettings, started: Callable[[Any], Any]
) -> None:
    partitions = range(endpoints.num_partitions)
    joiner = started(JoinerActor(endpoints, JoinerSettings(), partitions))
    publish(endpoints, views(USERS, CONTENTS[:1]))
    wait_for(lambda: joiner.status()["examples"] == len(USERS), joiner.status)

    async def make_feed_anew() -> None:
        async with await Connections.open(endpoints, "test") as connections:
            await connections.js.delete_stream(connections.namespace.feed_stream)
            await ensure_streams(connections.js, connections.namespace, LIMITS)

    asyncio.run(make_feed_anew())
    publish(endpoints, *(views([user], CONTENTS[1:]) for user in USERS * 2))  # beyond where the old one ended
    wait_for(lambda: not joiner.status()["running"], joiner.status)
    late = started(JoinerActor(endpoints, JoinerSettings(), partitions))
    wait_for(lambda: not late.status()["running"], late.status)
    for stopped in (joiner, late):
        assert "StreamRecreatedError" in stopped.status()["failure"]
        assert "foryou rebuild" in stopped.status()["failure"]
    assert joiner.status()["examples"] == len(USERS)
    assert late.status()["examples"] == 0


def test_a_learner_under_which_examples_were_trimmed_while_it_lagged_stays_down_and_says_why(
    endpoints: EndpointSettings, client: ParameterClient, started: Callable[[Any], Any]
) -> None:
    partitions = range(endpoints.num_partitions)
    joiner = started(JoinerActor(endpoints, JoinerSettings(), partitions))
    learner = started(LearnerActor(endpoints, client, partitions, TRAINING, LearnerSettings()))
    publish(endpoints, views(USERS, CONTENTS[:1]))
    wait_for(lambda: learner.status()["examples"] == len(USERS), learner.status)
    learner.stop()
    for content in CONTENTS[1:4]:
        publish(endpoints, views(USERS, [content]))
    wait_for(lambda: joiner.status()["examples"] == 4 * len(USERS), joiner.status)
    joiner.stop()

    async def trim() -> None:
        async with await Connections.open(endpoints, "test") as connections:
            stream = connections.namespace.examples_stream
            last = (await connections.js.stream_info(stream)).state.last_seq
            await connections.js.purge_stream(stream, seq=last)

    asyncio.run(trim())
    late = started(LearnerActor(endpoints, client, partitions, TRAINING, LearnerSettings()))
    wait_for(lambda: not late.status()["running"], late.status)
    assert "LostExamplesError" in late.status()["failure"] or "StreamTrimmedError" in late.status()["failure"]
    assert late.status()["examples"] == 0
