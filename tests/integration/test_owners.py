"""Two owners of one thing, lost answers, streams changed under their readers: on real broker and store."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from redis.asyncio import Redis

from actors.connections import Connections, EndpointSettings
from actors.epochs import OvertakenError, take_epoch
from actors.examples_writer import ExamplesTrimmedError, ExamplesWriter
from actors.feed_publisher import FeedPublisher
from actors.state_moves import StateMoves
from actors.stream_reader import StreamReader, StreamRecreatedError, StreamTrimmedError, stream_incarnation
from actors.streams import StreamSettings, delete_streams, ensure_streams
from actors.user_store import PartitionStates, StatesTakenError
from messages.examples import ExampleBatch
from messages.feed import FeedMessage

LIMITS = StreamSettings(max_bytes=2**24, max_dead_bytes=2**20)


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scenario)


async def opened(endpoints: EndpointSettings) -> Connections:
    connections = await Connections.open(endpoints, "test")
    await ensure_streams(connections.js, connections.namespace, LIMITS)
    return connections


def test_an_owner_that_comes_back_after_a_pause_learns_that_it_was_replaced(
    endpoints: EndpointSettings,
) -> None:
    async def scenario() -> None:
        async with await opened(endpoints) as connections:
            paused = await take_epoch(connections, "joiner-0")
            successor = await take_epoch(connections, "joiner-0")
            assert successor > paused
            with pytest.raises(OvertakenError, match="joiner-0"):
                await take_epoch(connections, "joiner-0", held=paused)
            assert await take_epoch(connections, "joiner-0", held=successor) > successor

    run(scenario())


@pytest.mark.parametrize("seconds", [3_600.0, -3_600.0])
def test_epochs_rise_though_the_clock_jumps(
    endpoints: EndpointSettings, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    async def scenario() -> None:
        import time

        async with await opened(endpoints) as connections:
            before = await take_epoch(connections, "production")
            jumped = time.time() + seconds
            monkeypatch.setattr("actors.epochs.time.time", lambda: jumped)
            assert await take_epoch(connections, "production") > before
            assert await take_epoch(connections, "production") > before + 1

    run(scenario())


def test_epochs_rise_though_the_store_lost_its_tail_or_everything(endpoints: EndpointSettings) -> None:
    async def scenario() -> None:
        async with await opened(endpoints) as connections:
            first = await take_epoch(connections, "production")
            key = connections.namespace.key("epoch", "production")
            await connections.redis.delete(key)
            await asyncio.sleep(0.002)  # an epoch is a millisecond
            second = await take_epoch(connections, "production")
            assert second > first
            await connections.redis.set(key, first)
            assert await take_epoch(connections, "production", held=second) > second

    run(scenario())


class Unanswered(Redis):  # type: ignore[misc]
    """A store whose answers to scripts get lost."""

    async def eval(self, *arguments: Any) -> Any:
        await super().eval(*arguments)
        raise ConnectionError("the answer is lost")


def test_states_whose_answer_was_lost_are_known_to_be_stored(endpoints: EndpointSettings) -> None:
    async def scenario() -> None:
        async with await opened(endpoints) as connections:
            lossy = Unanswered.from_url(endpoints.store_url, protocol=2)
            states = PartitionStates(lossy, connections.namespace, 0)
            with pytest.raises(ConnectionError):
                await states.store({"ann": (b"state", b"join")}, 5)
            states._moves = StateMoves(connections.redis)
            await states.store({"ann": (b"state", b"join")}, 5)
            await states.store({"ann": (b"later", b"join")}, 7)
            assert await states.read_position() == 7
            await lossy.aclose()

    run(scenario())


def test_of_two_joiners_the_one_whose_position_was_moved_elsewhere_stops(endpoints: EndpointSettings) -> None:
    async def scenario() -> None:
        async with await opened(endpoints) as connections:
            zombie = PartitionStates(connections.redis, connections.namespace, 0)
            successor = PartitionStates(connections.redis, connections.namespace, 0)
            await successor.store({"ann": (b"b", b"")}, 9)
            with pytest.raises(StatesTakenError, match="stands at 9"):
                await zombie.store({"ann": (b"a", b"")}, 4)
            assert await connections.redis.get(connections.namespace.key("state", "ann")) == b"b"

    run(scenario())


def test_after_the_store_lost_its_tail_impressions_are_read_from_where_they_were_open_then(
    endpoints: EndpointSettings,
) -> None:
    async def scenario() -> None:
        async with await opened(endpoints) as connections:
            writer = ExamplesWriter(connections.js, connections.namespace, 0, "joiner")
            for feed_position, replay_from in ((10, 4), (20, 6), (30, 25), (40, 35)):
                await writer.append(ExampleBatch.empty(), feed_position, 1.0, replay_from)
            assert await writer.replay_from(40) == 35, "nothing was lost"
            assert await writer.replay_from(30) == 25, "one message behind, as after any crash"
            assert await writer.replay_from(15) == 4, "a tail was lost: what was open at 15 is needed"
            assert await writer.replay_from(0) == 1, "everything was lost"
            await connections.js.purge_stream(connections.namespace.examples_stream, keep=2)
            with pytest.raises(ExamplesTrimmedError, match="stand at 15"):
                await writer.replay_from(15)

    run(scenario())


def feed_reader(connections: Connections, start: int, **options: Any) -> StreamReader:
    namespace = connections.namespace
    return StreamReader(
        connections.nats, namespace.feed_stream, [namespace.feed_subject(0)], start, **options
    )


async def publish(connections: Connections, partition: int, number: int) -> None:
    publisher = FeedPublisher(connections.js, connections.namespace, connections.num_partitions)
    for _ in range(number):
        await publisher.publish(partition, FeedMessage([]))


def test_a_stream_trimmed_under_a_lagging_reader_stops_it(endpoints: EndpointSettings) -> None:
    async def scenario() -> None:
        async with await opened(endpoints) as connections:
            await publish(connections, 0, 10)
            reader = feed_reader(connections, 1, read_to=0)
            assert len(await reader.fetch(3, 2.0)) == 3
            await connections.js.purge_stream(connections.namespace.feed_stream, seq=7)
            lagging = feed_reader(connections, reader.next_sequence, read_to=reader.read_to)
            with pytest.raises(StreamTrimmedError, match="4 comes next, but the stream begins at 7"):
                await lagging.fetch(10, 1.0)

    run(scenario())


def test_trimming_what_was_read_or_was_another_partitions_stops_nobody(
    endpoints: EndpointSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.stream_reader._CHECK_SECONDS", 0.0)

    async def scenario() -> None:
        async with await opened(endpoints) as connections:
            await publish(connections, 0, 3)
            await publish(connections, 1, 5)
            reader = feed_reader(connections, 1)
            assert len(await reader.fetch(10, 1.0)) == 3
            assert await reader.fetch(10, 0.05) == []
            assert reader.read_to == 8
            await connections.js.purge_stream(connections.namespace.feed_stream, seq=9)
            assert await reader.fetch(10, 0.05) == []
            idle = feed_reader(connections, 4, read_to=reader.read_to)
            await publish(connections, 0, 1)
            assert [message.sequence for message in await idle.fetch(10, 1.0)] == [9]

    run(scenario())


def test_a_stream_made_anew_stops_its_reader(endpoints: EndpointSettings) -> None:
    async def scenario() -> None:
        async with await opened(endpoints) as connections:
            namespace = connections.namespace
            created = await stream_incarnation(
                connections.js, connections.redis, namespace, namespace.feed_stream
            )
            await publish(connections, 0, 2)
            reader = feed_reader(connections, 1, created=created)
            assert len(await reader.fetch(10, 1.0)) == 2
            await delete_streams(connections.js, namespace)
            await ensure_streams(connections.js, namespace, LIMITS)
            await publish(connections, 0, 5)
            noted = await stream_incarnation(
                connections.js, connections.redis, namespace, namespace.feed_stream
            )
            assert noted == created, "the store remembers which stream its positions belong to"
            with pytest.raises(StreamRecreatedError, match="made at"):
                await feed_reader(connections, 3, created=noted).fetch(10, 1.0)

    run(scenario())
