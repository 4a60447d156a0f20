"""The accounts of a log are read while other partitions are written to without end."""

from __future__ import annotations

import asyncio
from pathlib import Path

from actors.connections import Connections, EndpointSettings
from actors.streams import StreamSettings, ensure_streams
from learners.joiner import JoinerSettings
from messages.feed import FeedMessage
from simulations.prefix_accounts import CleanPrefix, SystemPrefix

DEADLINE_SECONDS = 60.0
BUSY_PARTITION = 3


def test_accounts_come_to_an_end_though_people_ask_for_feeds_all_the_while(
    endpoints: EndpointSettings, tmp_path: Path
) -> None:
    clean = CleanPrefix(JoinerSettings(num_partitions=endpoints.num_partitions), [0, 1, 2])

    async def write(connections: Connections, is_busy: asyncio.Event, is_over: asyncio.Event) -> None:
        subject = connections.namespace.feed_subject(BUSY_PARTITION)
        while not is_over.is_set():
            await connections.js.publish(subject, FeedMessage([]).encode())
            is_busy.set()

    async def run() -> list[str]:
        async with (
            asyncio.timeout(DEADLINE_SECONDS),
            await Connections.open(endpoints, "reading") as reading,
            await Connections.open(endpoints, "writing") as writing,
        ):
            limits = StreamSettings(max_bytes=2**25, max_dead_bytes=2**20)
            await ensure_streams(reading.js, reading.namespace, limits)
            is_busy, is_over = asyncio.Event(), asyncio.Event()
            writer = asyncio.create_task(write(writing, is_busy, is_over))
            await is_busy.wait()
            try:
                return await SystemPrefix(tmp_path, "production").differences(reading, clean)
            finally:
                is_over.set()
                await writer

    assert asyncio.run(run()) == ["there is no snapshot"]
