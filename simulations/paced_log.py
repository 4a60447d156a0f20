"""Publishes a log in a thread of its own, at a steady pace, between `resume` and `pause`."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Collection
from types import TracebackType

from nats.errors import Error as NatsError

from actors.connections import Connections, EndpointSettings
from messages.feed import FeedMessage
from simulations.replay_log import ReplayLog

_TIMEOUT_SECONDS = 2.0
_POLL_SECONDS = 0.05


class PacedLog:
    """A context manager. Every message is published once, also where its acknowledgement is lost.

    published: FEED's last sequence by partition. num_rows: of the log, as far as it was published, with those
    of partitions that are left out.
    """

    def __init__(
        self,
        endpoints: EndpointSettings,
        log: ReplayLog,
        partitions: Collection[int],
        rows_per_second: float,
        heard: Callable[[int, FeedMessage], None],
    ) -> None:
        """partitions: of which messages are published. heard: is told of each message, in this order, before
        it is published, in the log's own thread."""
        self.published: dict[int, int] = {}
        self.num_rows = 0
        self.rows_per_second = rows_per_second
        self._endpoints = endpoints
        self._log = log
        self._partitions = frozenset(partitions)
        self._heard = heard
        self._going = threading.Event()
        self._idle = threading.Event()
        self._ended = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="paced log", daemon=True)

    def __enter__(self) -> PacedLog:
        self._idle.set()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def is_over(self) -> bool:
        return not self._thread.is_alive()

    def resume(self) -> None:
        """Go on publishing. Raises what ended the thread, if anything did."""
        if self._failure is not None:
            raise self._failure
        self._going.set()

    def pause(self) -> dict[int, int]:
        """Stop after the window that is under way; returns the last sequences, by partition."""
        self._going.clear()
        while not (self._idle.is_set() or self.is_over):
            time.sleep(_POLL_SECONDS)
        if self._failure is not None:
            raise self._failure
        return dict(self.published)

    def _work(self) -> None:
        try:
            asyncio.run(self._publish())
        except Exception as error:  # noqa: BLE001 raised where somebody looks after it
            self._failure = error

    async def _publish(self) -> None:
        number = 0
        async with await Connections.open(self._endpoints, "paced-log") as connections:
            for window in self._log.windows():
                began = time.monotonic()
                while not (self._going.is_set() or self._ended.is_set()):
                    self._idle.set()
                    await asyncio.sleep(_POLL_SECONDS)
                if self._ended.is_set():  # also amid the log: whoever fails does not wait for the rest of it
                    return
                self._idle.clear()
                for partition, message in window.messages:
                    if partition in self._partitions:
                        number += 1
                        self._heard(partition, message)
                        self.published[partition] = await _publish_once(
                            connections, partition, message, number
                        )
                self.num_rows += window.num_rows
                rest = began + window.num_rows / self.rows_per_second - time.monotonic()
                await asyncio.sleep(max(rest, 0.0))
        self._idle.set()


async def _publish_once(connections: Connections, partition: int, message: FeedMessage, number: int) -> int:
    """Publish until it is acknowledged; the broker knows a message that came before by its id."""
    namespace = connections.namespace
    while True:
        try:
            acknowledged = await connections.js.publish(
                namespace.feed_subject(partition),
                message.encode(),
                timeout=_TIMEOUT_SECONDS,
                stream=namespace.feed_stream,
                headers={"Nats-Msg-Id": f"log-{number}"},
            )
        except (NatsError, TimeoutError):
            await asyncio.sleep(_POLL_SECONDS)
        else:
            return int(acknowledged.seq)
