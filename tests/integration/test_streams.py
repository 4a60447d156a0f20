"""FEED, EXAMPLES and the store on a real broker and a real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from actors.catalogue import Catalogue
from actors.connections import Connections, EndpointSettings
from actors.examples_writer import ExamplesWriter, PartitionTakenError
from actors.feed_publisher import FeedPublisher, StreamUnavailableError
from actors.stream_reader import StreamReader
from actors.streams import StreamSettings, ensure_streams
from actors.user_store import PartitionStates, StatesTakenError, UserStore
from actors.weight_store import WeightsConflictError, WeightStore
from messages.content import ContentFacts
from messages.events import ContentMetadata
from messages.examples import ExampleBatch
from messages.feed import FeedMessage
from messages.identifiers import partition_of
from messages.updates import Rows


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(coroutine)


@asynccontextmanager
async def opened(endpoints: EndpointSettings, max_bytes: int = 2**24) -> AsyncIterator[Connections]:
    limits = StreamSettings(max_bytes=max_bytes, max_dead_bytes=2**20)
    async with await Connections.open(endpoints, "test") as connections:
        await ensure_streams(connections.js, connections.namespace, limits)
        yield connections


def like(user: str, content: str = "c") -> dict[str, Any]:
    return {"event_type": "like", "event_id": f"{user}-{content}", "user_id": user, "content_id": content}


def test_published_events_are_read_back_in_order_from_their_users_partition(
    endpoints: EndpointSettings,
) -> None:
    async def scenario() -> None:
        async with opened(endpoints) as connections:
            publisher = FeedPublisher(connections.js, connections.namespace, endpoints.num_partitions)
            positions = await publisher.publish_events([like("ann", f"c{i}") for i in range(3)])
            partition = partition_of("ann", endpoints.num_partitions)
            assert set(positions) == {partition}
            reader = StreamReader(
                connections.nats,
                connections.namespace.feed_stream,
                [connections.namespace.feed_subject(partition)],
                start=1,
            )
            (message,) = await reader.fetch(10, timeout=2.0)
            records = FeedMessage.decode(message.data).records
            assert [body["content_id"] for _, body in records] == ["c0", "c1", "c2"]
            assert message.sequence == positions[partition]
            assert await reader.fetch(10, timeout=0.05) == []

    run(scenario())


def test_a_full_stream_refuses_and_drops_nothing(endpoints: EndpointSettings) -> None:
    async def scenario() -> None:
        async with opened(endpoints, max_bytes=4_000) as connections:
            publisher = FeedPublisher(connections.js, connections.namespace, endpoints.num_partitions)
            answers = await asyncio.gather(
                *(publisher.publish_events([like("ann", f"content-{index}")]) for index in range(100)),
                return_exceptions=True,
            )
            accepted = sum(isinstance(answer, dict) for answer in answers)
            assert {type(answer) for answer in answers} == {dict, StreamUnavailableError}
            info = await connections.js.stream_info(connections.namespace.feed_stream)
            assert 0 < accepted == info.state.messages

    run(scenario())


def test_of_two_writers_on_one_partition_the_one_that_was_overtaken_stops(
    endpoints: EndpointSettings,
) -> None:
    async def scenario() -> None:
        async with opened(endpoints) as connections:
            zombie = ExamplesWriter(connections.js, connections.namespace, 0, "zombie")
            await zombie.read_last()
            await zombie.append(ExampleBatch.empty(), 1, 1.0, 1)
            successor = ExamplesWriter(connections.js, connections.namespace, 0, "successor")
            last = await successor.read_last()
            assert last.header is not None
            assert last.header.writer == "zombie"
            await successor.append(ExampleBatch.empty(), 2, 2.0, 1)
            with pytest.raises(PartitionTakenError, match="successor appended, zombie stops"):
                await zombie.append(ExampleBatch.empty(), 2, 2.0, 1)

    run(scenario())


def test_an_append_whose_answer_was_lost_is_recognized_as_done(endpoints: EndpointSettings) -> None:
    async def scenario() -> None:
        async with opened(endpoints) as connections:
            writer = ExamplesWriter(connections.js, connections.namespace, 0, "joiner")
            first = await writer.append(ExampleBatch.empty(), 1, 1.0, 1)
            forgetful = ExamplesWriter(connections.js, connections.namespace, 0, "joiner")
            assert await forgetful.append(ExampleBatch.empty(), 1, 1.0, 1) == first
            info = await connections.js.stream_info(connections.namespace.examples_stream)
            assert info.state.messages == 1

    run(scenario())


def test_states_move_only_with_the_position_their_joiner_left(endpoints: EndpointSettings) -> None:
    async def scenario() -> None:
        async with opened(endpoints) as connections:
            states = PartitionStates(connections.redis, connections.namespace, 0)
            assert await states.read_position() == 0
            await states.store({"ann": (b"state", b"join")}, 5)
            zombie = PartitionStates(connections.redis, connections.namespace, 0)
            with pytest.raises(StatesTakenError):
                await zombie.store({"ann": (b"older", b"older")}, 3)
            assert await states.load(["ann", "bob"]) == {"ann": (b"state", b"join"), "bob": (None, None)}
            assert await states.read_position() == 5

    run(scenario())


def test_one_round_trip_loads_everything_of_a_person(endpoints: EndpointSettings) -> None:
    async def scenario() -> None:
        async with opened(endpoints) as connections:
            from messages.identifiers import key_of

            store = UserStore(connections.redis, connections.namespace)
            await store.put_profile("ann", {"language": "en"})
            await store.add_served("ann", np.array([1, 2], dtype=np.uint64))
            await store.add_served("ann", np.array([3], dtype=np.uint64))
            row = np.ones((1, 4), dtype=np.float32)
            ids = np.array([key_of("ann")], dtype=np.uint64)
            await store.put_rows("production.a", "user", Rows(ids, row))
            user = await store.load("ann", ["production.a", "other.a"])
            assert user.profile == {"language": "en"}
            assert user.served.tolist() == [1, 2, 3]
            assert user.rows["production.a"]["user"].tolist() == [1, 1, 1, 1]
            assert user.rows["other.a"] == {}
            assert user.state is None
            assert (user.shown, user.notice) == ({}, 0)

    run(scenario())


def test_of_answers_at_the_same_time_the_highest_version_is_remembered(endpoints: EndpointSettings) -> None:
    async def scenario() -> None:
        async with opened(endpoints) as connections:
            store = UserStore(connections.redis, connections.namespace)
            keys = np.array([1], dtype=np.uint64)
            await store.add_served("ann", keys, "production.a", 7)
            await store.add_served("ann", keys, "production.a", 5)
            await store.add_served("ann", keys[:0], "production.b", 2)
            user = await store.load("ann", ["production.a", "production.b", "other.a"])
            assert user.shown == {"production.a": 7, "production.b": 2}
            assert user.served.tolist() == [1, 1]

    run(scenario())


def test_removed_contents_and_weights_are_told_by_the_notice_that_every_load_brings(
    endpoints: EndpointSettings,
) -> None:
    async def scenario() -> None:
        async with opened(endpoints) as connections:
            store = UserStore(connections.redis, connections.namespace)
            catalogue = Catalogue(connections.redis, connections.namespace)
            weights = WeightStore(connections.redis, connections.namespace)
            contents = [ContentFacts(name, "creator", 1.0, ContentMetadata()) for name in ("a", "b")]
            await catalogue.put_many(contents)

            async def notice() -> int:
                return (await store.load("ann", [])).notice

            seen = [await notice()]
            await catalogue.remove("a")
            seen.append(await notice())
            assert await catalogue.removed() == ["a"]
            await catalogue.put(contents[0])
            seen.append(await notice())
            assert await catalogue.removed() == []
            await catalogue.put(contents[1])
            seen.append(await notice())
            await weights.write({"like": 2.0}, None)
            seen.append(await notice())
            assert seen == [0, 1, 2, 2, 3]

    run(scenario())


def test_a_table_of_weights_outlives_its_process_and_two_operators_do_not_overwrite_each_other(
    endpoints: EndpointSettings,
) -> None:
    async def scenario() -> None:
        async with opened(endpoints) as connections:
            weights = WeightStore(connections.redis, connections.namespace)
            assert await weights.read() is None
            answers = await asyncio.gather(
                *(weights.write({"like": float(number)}, 0) for number in range(4)), return_exceptions=True
            )
            (written,) = [answer for answer in answers if not isinstance(answer, Exception)]
            assert {type(answer) for answer in answers} == {type(written), WeightsConflictError}
            last = await weights.write({"share": -1.0}, 1)
            read = await WeightStore(connections.redis, connections.namespace).read()
            assert read == last
            assert [table.revision for table in await weights.history(5)] == [2, 1]

    run(scenario())


def test_catalogue_readers_see_changes_and_removals_after_their_cursor(endpoints: EndpointSettings) -> None:
    async def scenario() -> None:
        async with opened(endpoints) as connections:
            catalogue = Catalogue(connections.redis, connections.namespace)
            facts = [
                ContentFacts(f"c{i}", "creator", 1.0, ContentMetadata(category="cats", duration=3.0))
                for i in range(3)
            ]
            await catalogue.put_many(facts)
            everything = await catalogue.all()
            assert sorted(content.content_id for content in everything.contents) == ["c0", "c1", "c2"]
            assert await catalogue.get("c1") == facts[1]
            assert await catalogue.remove("c1")
            changes = await catalogue.changes_after(everything.cursor)
            assert changes is not None
            assert changes.removed == ["c1"]
            assert await catalogue.size() == 2

    run(scenario())
