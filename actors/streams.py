"""JetStream: the connection, and the three streams of a namespace."""

from __future__ import annotations

import contextlib
import logging

import nats
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import (
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import NotFoundError
from pydantic import BaseModel, ConfigDict, Field

from actors.names import Namespace

logger = logging.getLogger(__name__)

_RETENTION_SECONDS = 7 * 86_400
_PING_SECONDS = 2


class StreamSettings(BaseModel):
    """Limits of each stream. A full stream refuses new messages (503 at the edge), it drops no old ones."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_bytes: int = 2 * 1024**3
    """Of FEED and of EXAMPLES each. The broker reserves it: all streams together must fit its disk."""
    max_dead_bytes: int = 128 * 1024**2
    max_age_seconds: float = _RETENTION_SECONDS
    duplicate_window_seconds: float = 120.0
    replicas: int = Field(default=1, ge=1, le=5)
    """Copies of each stream, on as many servers of the broker's cluster."""


async def connect(url: str, name: str) -> Client:
    """Connect to NATS and stay connected: the client reconnects forever and its callers wait.

    A network that is cut tells neither end: pings find out, in three of their intervals. Else what was sent
    would be sent again by TCP's backing off, seconds after the network is there again.
    """

    async def say(error: Exception) -> None:
        logger.warning("nats (%s): %s", name, error or type(error).__name__)

    return await nats.connect(
        url,
        name=name,
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.2,
        connect_timeout=2,
        ping_interval=_PING_SECONDS,
        max_outstanding_pings=2,
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
                    num_replicas=settings.replicas,
                )
            )


async def delete_streams(js: JetStreamContext, namespace: Namespace) -> None:
    """Remove the streams of a namespace (a replay's, when it is over)."""
    for stream in (namespace.feed_stream, namespace.examples_stream, namespace.dead_stream):
        with contextlib.suppress(NotFoundError):
            await js.delete_stream(stream)
