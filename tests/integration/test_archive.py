"""From the streams to the archive on a real broker, though the archivist is replaced."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors.archive_actor import ArchiveActor
from actors.archive_files import ArchiveFiles, ArchiveSettings
from actors.archive_reader import examples_end, read_examples, read_feed
from actors.archived_trim import ArchivedTrim, give_back_trimming
from actors.connections import Connections, EndpointSettings
from actors.joiner_actor import JoinerActor
from actors.stream_reader import StreamReader
from actors.streams import StreamSettings
from learners.joiner import JoinerSettings
from messages.examples_header import ExamplesHeader
from tests.joined_traffic import CONTENTS, publish, publish_impressions, views, wait_for

USERS = [f"user-{index}" for index in range(12)]


def test_streams_are_archived_to_the_last_byte_though_the_archivist_is_replaced(
    endpoints: EndpointSettings, started: Callable[[Any], Any], tmp_path: Path
) -> None:
    settings = ArchiveSettings(uri=str(tmp_path), max_wait_seconds=0.2)
    joiner = started(JoinerActor(endpoints, JoinerSettings(), range(endpoints.num_partitions)))
    archivist = started(ArchiveActor(endpoints, settings))
    publish_impressions(endpoints, USERS)
    publish(endpoints, views(USERS, CONTENTS[:4]))
    wait_for(lambda: archivist.status().get("examples_archived", 0) > 0, archivist.status)
    archivist.stop()
    publish(endpoints, views(USERS, CONTENTS[4:]), raw=b"\xc1 not a message")
    archivist = started(ArchiveActor(endpoints, settings))
    expected = len(USERS) * len(CONTENTS)
    wait_for(lambda: joiner.status()["examples"] == expected, joiner.status)
    archivist.stop()  # takes what the streams still hold
    status = archivist.status()
    assert (status["failure"], status["lost"], status["feed_waiting"]) == (None, 0, 0)
    files = ArchiveFiles(tmp_path)
    feed, examples = asyncio.run(streams(endpoints))
    assert [(m.sequence, m.append_time, m.data) for m in read_feed(files)] == [
        (m.sequence, m.append_time, m.data) for m in feed
    ]
    assert [(m.sequence, m.header, m.batch.encode()) for m in read_examples(files)] == [
        (m.sequence, ExamplesHeader.from_headers(m.headers), m.data) for m in examples
    ]
    assert sum(examples_end(files).examples.values()) == expected


async def streams(endpoints: EndpointSettings) -> tuple[Any, Any]:
    async with await Connections.open(endpoints, "test") as connections:
        name = connections.namespace
        held = []
        for stream, subject in (
            (name.feed_stream, name.feed_subject("*")),
            (name.examples_stream, name.examples_subject("*")),
        ):
            reader = StreamReader(connections.nats, stream, [subject], 1)
            messages = await reader.fetch(1_000, 1.0)
            while more := await reader.fetch(1_000, 0.2):
                messages += more
            await reader.close()
            held.append(messages)
        return held[0], held[1]


def test_what_is_old_goes_once_it_is_archived_and_not_before(
    endpoints: EndpointSettings, started: Callable[[Any], Any]
) -> None:
    publish(endpoints, *([event] for event in views(USERS[:5], CONTENTS[:1])))

    async def scenario() -> None:
        async with await Connections.open(endpoints, "test") as connections:
            js, stream = connections.js, connections.namespace.feed_stream
            limit = StreamSettings().max_age_seconds
            now = time.time()
            trim = ArchivedTrim(js, stream, clock=lambda: now, look_seconds=0.0)
            await trim.take_over()
            assert not (await js.stream_info(stream)).config.max_age
            again = ArchivedTrim(js, stream, clock=lambda: now, look_seconds=0.0)
            await again.take_over()  # as an archivist that begins anew
            assert await again.trim(5) == 1  # all is archived, and nothing old
            now += limit + 60
            assert await again.trim(3) == 4
            assert await trim.trim(5) == 6
            state = (await js.stream_info(stream)).state
            assert (state.first_seq, state.messages) == (6, 0)
            await give_back_trimming(js, connections.namespace)
            assert (await js.stream_info(stream)).config.max_age == limit

    asyncio.run(scenario())


def test_a_stream_that_never_held_anything_has_nothing_to_trim(
    endpoints: EndpointSettings, started: Callable[[Any], Any]
) -> None:
    async def scenario() -> None:
        async with await Connections.open(endpoints, "test") as connections:
            trim = ArchivedTrim(connections.js, connections.namespace.feed_stream, look_seconds=0.0)
            await trim.take_over()
            assert await trim.trim(0) == 1

    asyncio.run(scenario())
