"""Reading a stream of JetStream from a position of one's own."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from redis.asyncio import Redis

from actors.deliveries import Deliveries
from actors.delivery_numbers import stored_at
from actors.names import Namespace

logger = logging.getLogger(__name__)

_CONSUMER_IDLE_SECONDS = 3_600.0
_CHECK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class StreamMessage:
    """One stored message. sequence: its place in the stream. append_time: by the broker, epoch seconds."""

    subject: str
    sequence: int
    append_time: float
    data: bytes
    headers: dict[str, str] | None


class StreamTrimmedError(Exception):
    """The stream dropped messages before they were read: going on would lose events unseen."""


class StreamRecreatedError(Exception):
    """The stream was made anew, or lost its end: positions on it mean nothing any more."""


class StreamReader:
    """Reads a stream in order from a sequence that the caller keeps.

    The position lives with what was made of the messages (rows, states), so nothing is acknowledged. Whatever
    ends a consumer, a new one is made at the own position: nothing is skipped, and nothing comes twice. What
    was delivered into a connection that broke is not delivered again: a consumer numbers its deliveries, and
    one that is missing ends it too. A stream that no longer holds what comes next is noticed within seconds,
    also while nothing arrives.
    """

    def __init__(
        self,
        client: Client,
        stream: str,
        subjects: list[str],
        start: int,
        *,
        read_to: int | None = None,
        created: str | None = None,
    ) -> None:
        """start: the first sequence wanted. read_to: all that the subjects have up to here was read, by this
        reader or one before; None: not known, then it is found out. created: when the stream was made that
        these positions belong to (`stream_incarnation`); None believes the stream that is there."""
        self._client = client
        self._js = client.jetstream()
        self._stream = stream
        self._subjects = subjects
        self._next = max(start, 1)
        self._read_to = read_to
        self._created = created
        self._checked_at = float("-inf")
        self._deliveries: Deliveries | None = None
        self._num_taken = 0
        """Of the deliveries of the consumer that is there."""

    @property
    def next_sequence(self) -> int:
        return self._next

    @property
    def read_to(self) -> int | None:
        """Up to here nothing of the subjects is unread; None while that is not known."""
        return None if self._read_to is None else max(self._read_to, self._next - 1)

    async def fetch(self, max_messages: int, timeout: float) -> list[StreamMessage]:
        """Return what is there, or wait up to `timeout` seconds for the first; empty when none came.

        Raises NatsError where the broker is away, StreamTrimmedError or StreamRecreatedError where going on
        would skip messages.
        """
        is_due = time.monotonic() - self._checked_at >= _CHECK_SECONDS
        if is_due or self._deliveries is None:  # a consumer ends with its stream: the next may be another's
            await self._check()
        try:
            deliveries = self._deliveries or await self._deliver()
            raw = await deliveries.take(max_messages, timeout)
        except (NatsError, TimeoutError) as error:
            logger.warning("%s: reading again from %d: %s", self._stream, self._next, error)
            await self.close()
            raise NatsError(f"{self._stream}: {error or 'no answer'}") from error
        messages = []
        for message in raw:
            sequence, delivery, append_time = stored_at(message)
            if delivery != self._num_taken + 1:
                logger.warning("%s: a delivery was lost, reading again from %d", self._stream, self._next)
                await self.close()
                break
            self._num_taken += 1
            if sequence < self._next:
                continue
            self._next = sequence + 1
            messages.append(
                StreamMessage(message.subject, sequence, append_time, message.data, message.headers)
            )
        return messages

    async def close(self) -> None:
        deliveries, self._deliveries = self._deliveries, None
        if deliveries is not None:
            await deliveries.close()

    async def _check(self) -> None:
        try:
            info = await self._js.stream_info(self._stream)
            nothing_waits = self._deliveries is not None and await self._nothing_waits(self._deliveries)
        except (NatsError, TimeoutError) as error:
            await self.close()
            raise NatsError(f"{self._stream}: {error or 'no answer'}") from error
        created = str(info.created)
        if self._created is None:
            self._created = created
        first, last = info.state.first_seq, info.state.last_seq
        if created != self._created or last < self._next - 1:
            raise StreamRecreatedError(
                f"{self._stream}: {self._next - 1} was read of that made at {self._created}; this one, made "
                f"at {created}, ends at {last}. Empty what follows from it, then `foryou rebuild`"
            )
        read_to = self.read_to
        if read_to is not None and first > read_to + 1:
            raise StreamTrimmedError(
                f"{self._stream}: {read_to + 1} comes next, but the stream begins at {first}. "
                f"`foryou rebuild` fills the gap from the archive"
            )
        if nothing_waits:
            self._read_to = max(last, read_to or 0)
        self._checked_at = time.monotonic()

    async def _nothing_waits(self, deliveries: Deliveries) -> bool:
        """Say whether everything of the subjects was taken, also what has been delivered."""
        info = await deliveries.info()
        num_sent = 0 if info.delivered is None else info.delivered.consumer_seq
        return num_sent == self._num_taken and not info.num_pending

    async def _deliver(self) -> Deliveries:
        """Make a consumer at the own position. It is known before it is open: what fails midway is closed."""
        self._num_taken = 0
        self._deliveries = deliveries = Deliveries(self._client, self._stream)
        await deliveries.open(
            ConsumerConfig(
                deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
                opt_start_seq=self._next,
                ack_policy=AckPolicy.NONE,
                filter_subjects=self._subjects,
                inactive_threshold=_CONSUMER_IDLE_SECONDS,
                mem_storage=True,
            )
        )
        return deliveries


async def stream_incarnation(js: JetStreamContext, redis: Redis, namespace: Namespace, stream: str) -> str:
    """Return the creation time of the stream that positions in the store and the shards belong to.

    The first who asks notes it; `StreamReader` compares. An emptied store believes the stream that is there.
    """
    key = namespace.key("stream", stream)
    info = await js.stream_info(stream)
    await redis.set(key, str(info.created), nx=True)
    return str((await redis.get(key)).decode())
