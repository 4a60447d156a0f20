"""JetStream: the three streams of a namespace, and reading one of them from a position of one's own."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import NotFoundError
from pydantic import BaseModel, ConfigDict

from actors.names import Namespace

logger = logging.getLogger(__name__)

_RETENTION_SECONDS = 7 * 86_400
_CONSUMER_IDLE_SECONDS = 3_600.0


class StreamSettings(BaseModel):
    """Limits of each stream. A full stream refuses new messages (503 at the edge), it drops no old ones."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_bytes: int = 2 * 1024**3
    """Of FEED and of EXAMPLES each. The broker reserves it: all streams together must fit its disk."""
    max_dead_bytes: int = 128 * 1024**2
    max_age_seconds: float = _RETENTION_SECONDS
    duplicate_window_seconds: float = 120.0


@dataclass(frozen=True, slots=True)
class StreamMessage:
    """One stored message. sequence: its place in the stream. append_time: by the broker, epoch seconds."""

    subject: str
    sequence: int
    append_time: float
    data: bytes
    headers: dict[str, str] | None


async def connect(url: str, name: str) -> Client:
    """Connect to NATS and stay connected: the client reconnects forever and its callers wait."""

    async def say(error: Exception) -> None:
        logger.warning("nats (%s): %s", name, error or type(error).__name__)

    return await nats.connect(
        url,
        name=name,
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.2,
        connect_timeout=5,
        error_cb=say,
        pending_size=64 * 1024**2,
    )


async def ensure_streams(js: JetStreamContext, namespace: Namespace, settings: StreamSettings) -> None:
    """Create the streams of a namespace; those that exist are left as their operator set them."""
    for stream, subject, max_bytes in (
        (namespace.feed_stream, namespace.feed_subject("*"), settings.max_bytes),
        (namespace.examples_stream, namespace.examples_subject("*"), settings.max_bytes),
        (namespace.dead_stream, namespace.dead_subject, settings.max_dead_bytes),
    ):
        try:
            await js.stream_info(stream)
        except NotFoundError:
            await js.add_stream(
                StreamConfig(
                    name=stream,
                    subjects=[subject],
                    retention=RetentionPolicy.LIMITS,
                    storage=StorageType.FILE,
                    discard=DiscardPolicy.NEW,
                    max_bytes=max_bytes,
                    max_age=settings.max_age_seconds,
                    duplicate_window=settings.duplicate_window_seconds,
                    allow_direct=True,
                )
            )


async def delete_streams(js: JetStreamContext, namespace: Namespace) -> None:
    """Remove the streams of a namespace (a replay's, when it is over)."""
    for stream in (namespace.feed_stream, namespace.examples_stream, namespace.dead_stream):
        with contextlib.suppress(NotFoundError):
            await js.delete_stream(stream)


class StreamReader:
    """Reads a stream in order from a sequence that the caller keeps.

    The position lives with what was made of the messages (rows, states), so nothing is acknowledged. On any
    error of the consumer a new one is made at the own position: nothing is skipped, and nothing comes twice.
    """

    def __init__(self, js: JetStreamContext, stream: str, subjects: list[str], start: int) -> None:
        """start: the first sequence wanted."""
        self._js = js
        self._stream = stream
        self._subjects = subjects
        self._next = max(start, 1)
        self._subscription: JetStreamContext.PullSubscription | None = None

    @property
    def next_sequence(self) -> int:
        return self._next

    async def fetch(self, max_messages: int, timeout: float) -> list[StreamMessage]:
        """Return what is there, or wait up to `timeout` seconds for the first; empty when none came."""
        try:
            if self._subscription is None:
                self._subscription = await self._subscribe()
            raw = await self._subscription.fetch(max_messages, timeout=timeout)
        except TimeoutError:
            return []
        except NatsError as error:
            logger.warning("%s: reading again from %d: %s", self._stream, self._next, error)
            await self.close()
            raise
        messages = []
        for message in raw:
            metadata = message.metadata
            sequence = metadata.sequence.stream
            if sequence < self._next:
                continue
            self._next = sequence + 1
            messages.append(
                StreamMessage(
                    message.subject, sequence, metadata.timestamp.timestamp(), message.data, message.headers
                )
            )
        return messages

    async def close(self) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            with contextlib.suppress(NatsError):
                await subscription.unsubscribe()

    async def _subscribe(self) -> JetStreamContext.PullSubscription:
        consumer = await self._js.add_consumer(
            self._stream,
            ConsumerConfig(
                deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
                opt_start_seq=self._next,
                ack_policy=AckPolicy.NONE,
                filter_subjects=self._subjects,
                inactive_threshold=_CONSUMER_IDLE_SECONDS,
                mem_storage=True,
            ),
        )
        return await self._js.pull_subscribe_bind(consumer=consumer.name, stream=self._stream)


async def stream_incarnation(js: JetStreamContext, stream: str) -> str:
    """Return the stream's creation time: positions on a stream that was made anew mean nothing."""
    info = await js.stream_info(stream)
    return str(info.created)
