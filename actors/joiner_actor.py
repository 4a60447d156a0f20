"""A joiner: FEED to EXAMPLES for its share of the partitions, all of them where it is the only one."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from nats.errors import Error as NatsError
from redis.exceptions import ConnectionError as StoreConnectionError
from redis.exceptions import TimeoutError as StoreTimeoutError

from actors.background import BackgroundTask
from actors.collector_pacing import pace_collector
from actors.connections import Connections, EndpointSettings
from actors.crews import CrewMember, Share
from actors.epochs import OvertakenError, ensure_owner
from actors.examples_writer import ExamplesTrimmedError
from actors.joiner_partition import JoinerPartition, StatesAheadError
from actors.names import partition_of_subject
from actors.state_moves import StateMoves
from actors.stream_reader import (
    StreamMessage,
    StreamReader,
    StreamRecreatedError,
    StreamTrimmedError,
    stream_incarnation,
)
from learners.joiner import JoinerSettings

_FETCH_MESSAGES = 256
_FETCH_SECONDS = 0.5
_RETRY_SECONDS = 0.2
_NOTE_SECONDS = 3.0
_HELD = ("open_impressions", "people")
_STAYS_DOWN = (
    OvertakenError,
    StatesAheadError,
    ExamplesTrimmedError,
    StreamTrimmedError,
    StreamRecreatedError,
)


class JoinerActor:
    """Starts to work when constructed, so that an actor that was restarted goes on by itself.

    What another joiner wrote meanwhile ends a run. The next run claims the partitions again: it goes on after
    a predecessor's late write, and stops for good where a successor holds them.
    """

    def __init__(
        self,
        endpoints: EndpointSettings,
        settings: JoinerSettings,
        partitions: Sequence[int],
        member: int = 0,
    ) -> None:
        """partitions: all there are. member: of the crew of joiners, from 0."""
        self._endpoints = endpoints
        self._settings = settings
        self._crew = CrewMember("joiners", "joiner", member, partitions)
        self._writer = f"joiner-{uuid.uuid4().hex[:12]}"
        self._drivers: dict[int, JoinerPartition] = {}
        self._counted_before: dict[str, int] = {}
        """By the runs before this one; what a run holds in memory is gone with it and does not count."""
        self._waiting_for: str | None = None
        self._noted_at = 0.0
        self._task = BackgroundTask("joiner", self._run, stays_down=_STAYS_DOWN)
        pace_collector()
        self._task.start()

    def status(self) -> dict[str, Any]:
        """Say how far it is: counts since the start (see JoinerPartition), FEED positions by partition."""
        drivers = list(self._drivers.items())
        totals = Counter({"examples": 0, "dead_letters": 0} | self._counted_before)
        for _, driver in drivers:
            totals.update(driver.statistics())
        waiting = next((driver.waiting_for for _, driver in drivers if driver.waiting_for), None)
        return {
            "running": self._task.is_running,
            "failure": self._task.failure or waiting or self._waiting_for,
            "restarts": self._task.num_restarts,
            **totals,
            "positions": {partition: driver.position for partition, driver in drivers},
        }

    def stop(self) -> None:
        self._task.stop()

    async def _run(self, stop: asyncio.Event) -> None:
        async with await Connections.open(self._endpoints, self._writer) as connections:
            while not stop.is_set():
                share = await self._crew.take(connections)
                try:
                    await self._join(connections, share, stop)
                except OvertakenError:
                    if not await self._crew.is_over(connections, share, now=True):
                        raise

    async def _join(self, connections: Connections, share: Share, stop: asyncio.Event) -> None:
        """Join a share's partitions until stopped, or until the crew is another one."""
        moves = StateMoves(connections.redis)
        drivers = {
            partition: JoinerPartition(connections, partition, self._settings, self._writer, moves)
            for partition in share.partitions
        }
        starts = await asyncio.gather(*(driver.resume() for driver in drivers.values()))
        self._count_before()
        self._drivers = drivers
        if not drivers:
            await self._crew.wait_for_another(connections, share, stop)
            return
        reader = await self._reader(connections, share.partitions, min(starts))
        try:
            while not stop.is_set() and not await self._crew.is_over(connections, share):
                try:
                    messages = await reader.fetch(_FETCH_MESSAGES, _FETCH_SECONDS)
                except NatsError as error:
                    self._waiting_for = f"reads FEED again: {error or type(error).__name__}"
                    await asyncio.sleep(_RETRY_SECONDS)
                    continue
                self._waiting_for = None
                await self._handle(messages)
                if time.monotonic() - self._noted_at >= _NOTE_SECONDS:
                    await self._look_up(connections, share, reader)
                    self._noted_at = time.monotonic()
        finally:
            await reader.close()

    def _count_before(self) -> None:
        totals = Counter(self._counted_before)
        for driver in self._drivers.values():
            totals.update(driver.statistics())
        self._counted_before = {name: count for name, count in totals.items() if name not in _HELD}

    async def _reader(self, connections: Connections, partitions: Sequence[int], start: int) -> StreamReader:
        """Return a reader that notices if FEED was trimmed while no joiner ran."""
        namespace = connections.namespace
        noted = await connections.redis.mget(self._read_keys(connections, partitions))
        return StreamReader(
            connections.nats,
            namespace.feed_stream,
            namespace.feed_subjects(partitions, connections.num_partitions),
            start,
            read_to=None if None in noted else min(map(int, noted), default=None),
            created=await stream_incarnation(
                connections.js, connections.redis, namespace, namespace.feed_stream
            ),
        )

    async def _handle(self, messages: list[StreamMessage]) -> None:
        by_partition: dict[int, list[StreamMessage]] = defaultdict(list)
        for message in messages:
            by_partition[partition_of_subject(message.subject)].append(message)
        if len(by_partition) == 1:  # as where few people are there: a task costs as much as an event
            for partition, stretch in by_partition.items():
                await self._drivers[partition].handle(stretch)
            return
        handling = [
            asyncio.create_task(self._drivers[partition].handle(stretch))
            for partition, stretch in by_partition.items()
        ]
        try:
            await asyncio.gather(*handling)
        except BaseException:
            for task in handling:  # else they would go on beside the next run
                task.cancel()
            await asyncio.gather(*handling, return_exceptions=True)
            raise

    async def _look_up(self, connections: Connections, share: Share, reader: StreamReader) -> None:
        """Stop if another joiner came, and keep up to where nothing is unread: the position of a partition
        stands still while it is idle, so it cannot tell whether what was trimmed after it was its own."""
        try:
            await ensure_owner(connections, share.epochs)
            if reader.read_to is not None:
                keys = self._read_keys(connections, share.partitions)
                await connections.redis.mset(dict.fromkeys(keys, reader.read_to))
        except (StoreConnectionError, StoreTimeoutError) as error:
            self._waiting_for = f"waits for the store: {error}"

    def _read_keys(self, connections: Connections, partitions: Sequence[int]) -> list[str]:
        return [connections.namespace.key("feed-read", partition) for partition in partitions]
