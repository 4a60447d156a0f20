"""The joiner: FEED to EXAMPLES for the partitions it is given."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from nats.errors import Error as NatsError

from actors.background import BackgroundTask
from actors.connections import Connections, EndpointSettings
from actors.joiner_partition import JoinerPartition
from actors.names import partition_of_subject
from actors.streams import StreamMessage, StreamReader
from learners.joiner import JoinerSettings

_FETCH_MESSAGES = 256
_FETCH_SECONDS = 0.5
_RETRY_SECONDS = 0.2


class JoinerActor:
    """Starts to work when constructed, so that an actor that was restarted goes on by itself."""

    def __init__(
        self, endpoints: EndpointSettings, settings: JoinerSettings, partitions: Sequence[int]
    ) -> None:
        self._endpoints = endpoints
        self._settings = settings
        self._partitions = dict.fromkeys(partitions)
        self._writer = f"joiner-{uuid.uuid4().hex[:12]}"
        self._drivers: dict[int, JoinerPartition] = {}
        self._task = BackgroundTask("joiner", self._run)
        self._task.start()

    def status(self) -> dict[str, Any]:
        """Say how far it is: counts since the start (see JoinerPartition), FEED positions by partition."""
        drivers = list(self._drivers.items())
        totals: Counter[str] = Counter({"examples": 0, "dead_letters": 0})
        for _, driver in drivers:
            totals.update(driver.statistics())
        return {
            "running": self._task.is_running,
            "failure": self._task.failure,
            **totals,
            "positions": {partition: driver.position for partition, driver in drivers},
        }

    def stop(self) -> None:
        self._task.stop()

    async def _run(self, stop: asyncio.Event) -> None:
        async with await Connections.open(self._endpoints, self._writer) as connections:
            drivers = {
                partition: JoinerPartition(connections, partition, self._settings, self._writer)
                for partition in self._partitions
            }
            starts = await asyncio.gather(*(driver.resume() for driver in drivers.values()))
            self._drivers = drivers
            namespace = connections.namespace
            reader = StreamReader(
                connections.js,
                namespace.feed_stream,
                [namespace.feed_subject(partition) for partition in self._partitions],
                min(starts, default=1),
            )
            while not stop.is_set():
                try:
                    messages = await reader.fetch(_FETCH_MESSAGES, _FETCH_SECONDS)
                except NatsError:
                    await asyncio.sleep(_RETRY_SECONDS)
                    continue
                await self._handle(messages)
            await reader.close()

    async def _handle(self, messages: list[StreamMessage]) -> None:
        by_partition: dict[int, list[StreamMessage]] = defaultdict(list)
        for message in messages:
            by_partition[partition_of_subject(message.subject)].append(message)
        await asyncio.gather(
            *(self._drivers[partition].handle(stretch) for partition, stretch in by_partition.items())
        )
