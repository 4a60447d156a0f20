"""Reading a stream of JetStream from a position of one's own."""

from __future__ import annotations

import contextlib
import logging
import time
from dataclasses import dataclass

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from redis.asyncio import Redis

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

    The position lives with what was made of the messages (rows, states), so nothing is acknowledged. On any
    error of the consumer a new one is made at the own position: nothing is skipped, and nothing comes twice.
    What was delivered into a connection that broke is not delivered again, and no error says so: a consumer
    numbers its deliveries, and one that is missing is such an error too. A stream that no longer holds what
    comes next is noticed within seconds, also while nothing arrives.
    """

    def __init__(
        self,
        js: JetStreamContext,
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
        self._js = js
        self._stream = stream
        self._subjects = subjects
        self._next = max(start, 1)
        self._read_to = read_to
        self._created = created
        self._checked_at = float("-inf")
        self._subscription: JetStreamContext.PullSubscription | None = None
        self._num_delivered = 0
        """How many deliveries of the consumer that is there have come."""
        self._behind_at: int | None = None
        """How many they were at the last look, if there should have been more."""

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
        if is_due or self._subscription is None:  # a consumer ends with its stream: the next may be another's
            await self._check()
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
            if metadata.sequence.consumer != self._num_delivered + 1:
                await self._read_anew()
                break
            self._num_delivered += 1
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

    async def _read_anew(self) -> None:
        """A delivery was lost: the next fetch makes a consumer that begins with it."""
        logger.warning("%s: a delivery was lost, reading again from %d", self._stream, self._next)
        await self.close()

    async def _check(self) -> None:
        try:
            info = await self._js.stream_info(self._stream)
            nothing_waits = self._subscription is not None and await self._nothing_waits()
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

    async def _nothing_waits(self) -> bool:
        """Say whether everything of the subjects has come here. Where deliveries have not, and none comes
        from one look to the next, they are not on their way any more."""
        assert self._subscription is not None
        info = await self._subscription.consumer_info()
        num_sent = 0 if info.delivered is None else info.delivered.consumer_seq
        is_behind = num_sent > self._num_delivered
        if is_behind and self._behind_at == self._num_delivered:
            await self._read_anew()
        self._behind_at = self._num_delivered if is_behind else None
        return not is_behind and not info.num_pending

    async def _subscribe(self) -> JetStreamContext.PullSubscription:
        self._num_delivered, self._behind_at = 0, None
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


async def stream_incarnation(js: JetStreamContext, redis: Redis, namespace: Namespace, stream: str) -> str:
    """Return the creation time of the stream that positions in the store and the shards belong to.

    The first who asks notes it; `StreamReader` compares. An emptied store believes the stream that is there.
    """
    key = namespace.key("stream", stream)
    info = await js.stream_info(stream)
    await redis.set(key, str(info.created), nx=True)
    return str((await redis.get(key)).decode())
