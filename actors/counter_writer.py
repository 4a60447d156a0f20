"""Writes the content counters: every accepted event, joined or not, once, whatever models there are."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from actors.background import BackgroundTask
from actors.collector_pacing import pace_collector
from actors.connections import Connections, EndpointSettings
from actors.epochs import take_epoch
from actors.examples_follower import NEEDS_OPERATOR, BatchingSettings, ExamplesFollower
from actors.parameter_client import ParameterClient
from actors.stream_reader import stream_incarnation
from learners.batch_updates import counter_update
from messages.updates import COUNTERS_GROUP


class CounterWriter:
    """Follows EXAMPLES for the group of counters. Starts to work when constructed."""

    def __init__(
        self,
        endpoints: EndpointSettings,
        client: ParameterClient,
        partitions: Sequence[int],
        batching: BatchingSettings,
    ) -> None:
        self._endpoints = endpoints
        self._client = client
        self._partitions = list(partitions)
        self._batching = batching
        self._num_examples = 0
        self._epoch = 0
        self._follower: ExamplesFollower | None = None
        self._task = BackgroundTask("counter-writer", self._run, stays_down=NEEDS_OPERATOR, gives_way=True)
        pace_collector()
        self._task.start()

    def status(self) -> dict[str, Any]:
        return {
            "running": self._task.is_running,
            "failure": self._task.failure or (self._follower and self._follower.waiting_for),
            "restarts": self._task.num_restarts,
            "examples": self._num_examples,
        }

    def stop(self) -> None:
        self._task.stop()

    async def _run(self, stop: asyncio.Event) -> None:
        async with await Connections.open(self._endpoints, "counter-writer") as connections:
            self._epoch = epoch = await take_epoch(connections, COUNTERS_GROUP, self._epoch)
            namespace = connections.namespace
            self._follower = follower = ExamplesFollower(
                connections.nats,
                namespace,
                self._client,
                COUNTERS_GROUP,
                self._partitions,
                self._batching,
                await stream_incarnation(
                    connections.js, connections.redis, namespace, namespace.examples_stream
                ),
            )
            await follower.reopen()
            try:
                while not stop.is_set():
                    await self._count_next(follower, epoch)
            finally:
                await follower.close()

    async def _count_next(self, follower: ExamplesFollower, epoch: int) -> None:
        mini_batch = await follower.next()
        if mini_batch is None:
            return
        batch = mini_batch.batch()
        pushed = await follower.push(mini_batch, counter_update(epoch, mini_batch, batch))
        if pushed.is_held:
            self._num_examples += len(batch)
