"""One partition's joiner on real streams: reads FEED, appends EXAMPLES, then moves the states; in this order.

A crash between the two leaves the states behind the append. A new joiner starts at the lower of the two: it
moves the states again over what is appended already, and appends nothing twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import msgpack
from nats.errors import Error as NatsError
from nats.js.api import Header
from redis.exceptions import ConnectionError as StoreConnectionError
from redis.exceptions import TimeoutError as StoreTimeoutError

from actors.connections import Connections
from actors.examples_writer import AppendUnansweredError, ExamplesWriter
from actors.state_moves import StateMoves
from actors.stream_reader import StreamMessage
from actors.user_store import PartitionStates
from learners.features.assembly import assemble
from learners.joiner import JoinerSettings, PartitionJoiner
from learners.release import DeadLetter
from messages.codec import MalformedMessageError
from messages.examples import ExampleBatch
from messages.feed import FeedMessage

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 0.2
_EMPTY_APPEND_SECONDS = 60.0
_ROWS_PER_APPEND = 512
_Result = TypeVar("_Result")


class StatesAheadError(Exception):
    """The stored states cover more of FEED than EXAMPLES does: EXAMPLES lost its end.

    With store and snapshots emptied, `foryou rebuild` appends again what is missing.
    """


class JoinerPartition:
    """Drives one PartitionJoiner. Only one task may call it."""

    def __init__(
        self,
        connections: Connections,
        partition: int,
        settings: JoinerSettings,
        writer: str,
        moves: StateMoves | None = None,
    ) -> None:
        """moves: of states, shared by the partitions of one joiner."""
        self._connections = connections
        self._partition = partition
        settings = settings.model_copy(update={"num_partitions": connections.num_partitions})
        self._joiner = PartitionJoiner(partition, settings, writer, assemble=assemble)
        self._writer = ExamplesWriter(connections.js, connections.namespace, partition, writer)
        self._states = PartitionStates(connections.redis, connections.namespace, partition, moves)
        self._released = 0
        self._moved = 0
        self._next = 1
        self._last_append_time = 0.0
        self.waiting_for: str | None = None
        """What the broker or the store answers while this partition waits for it."""
        self.num_examples = 0
        self._num_unreadable = 0

    async def resume(self) -> int:
        """Find out where to go on; returns the first FEED sequence this partition must read."""
        # In this order: a predecessor that is still at work appends first and moves the states then.
        self._moved = await self._states.read_position()
        last = await self._writer.read_last()
        self._released = 0 if last.header is None else last.header.feed_position
        if self._moved > self._released:
            raise StatesAheadError(
                f"partition {self._partition}: states stand at {self._moved}, EXAMPLES at {self._released}"
            )
        self._next = min(await self._writer.replay_from(self._moved), self._moved + 1)
        return self._next

    @property
    def position(self) -> int:
        """The last FEED sequence released."""
        return self._released

    def statistics(self) -> dict[str, int]:
        """Return counts since this joiner began: joined, orphans, late, duplicates, dead letters ..."""
        counts = self._joiner.statistics()
        counts["dead_letters"] += self._num_unreadable
        return counts | {"examples": self.num_examples, "id_clashes": self._states.num_clashes}

    async def handle(self, messages: Sequence[StreamMessage]) -> None:
        """Take the partition's next messages in order; those read before are passed over."""
        decoded = [(message, self._decode(message)) for message in messages if message.sequence >= self._next]
        if not decoded:
            return
        await self._load_users([feed for _, feed in decoded if isinstance(feed, FeedMessage)])
        pending_rows = 0
        for message, feed in decoded:
            self._next = message.sequence + 1
            if isinstance(feed, DeadLetter):
                self._num_unreadable += 1
                await self._bury([feed], message.sequence)
                continue
            if message.sequence <= self._moved:
                self._joiner.recall(feed, position=message.sequence, append_time=message.append_time)
                continue
            letters = self._joiner.accept(feed, position=message.sequence, append_time=message.append_time)
            await self._bury(letters, message.sequence)
            pending_rows += len(feed.records)
            replayed = feed.log_time is not None  # then one message ends one window of the log's time
            if replayed or pending_rows >= _ROWS_PER_APPEND or message.sequence == self._released:
                await self._release(message.append_time, replayed=replayed)
                pending_rows = 0
        if pending_rows:
            await self._release(decoded[-1][0].append_time, replayed=False)

    async def _release(self, now: float, *, replayed: bool) -> None:
        release = self._joiner.release()
        if release is None:
            return
        if release.feed_position > self._released:
            idle = now - self._last_append_time < _EMPTY_APPEND_SECONDS
            if len(release.batch) == 0 and not replayed and idle and not release.states:
                return
            batch: ExampleBatch = release.batch
            await self._until_answered(
                lambda: self._writer.append(
                    batch, release.feed_position, release.watermark, release.replay_from
                )
            )
            self._released = release.feed_position
            self._last_append_time = now
            self.num_examples += len(batch)
        await self._until_answered(lambda: self._states.store(release.states, release.feed_position))
        self._moved = release.feed_position

    async def _load_users(self, messages: Sequence[FeedMessage]) -> None:
        missing = dict.fromkeys(user for message in messages for user in self._joiner.missing_users(message))
        if missing:
            self._joiner.load_users(await self._until_answered(lambda: self._states.load(missing)))

    def _decode(self, message: StreamMessage) -> FeedMessage | DeadLetter:
        try:
            return FeedMessage.decode(message.data)
        except MalformedMessageError as error:
            return DeadLetter(str(error), message.data, message.sequence)

    async def _bury(self, letters: Sequence[DeadLetter], sequence: int) -> None:
        """Keep what is broken, with the reason; the id makes a second burial after a crash a no-op."""
        namespace = self._connections.namespace
        for index, letter in enumerate(letters):
            headers: dict[str, Any] = {
                "Foryou-Reason": letter.reason.replace("\n", " ")[:500],
                "Foryou-Feed-Position": str(sequence),
                Header.MSG_ID: f"{sequence}.{index}",
            }
            raw = letter.raw if isinstance(letter.raw, bytes) else msgpack.packb(letter.raw, default=repr)
            await self._until_answered(
                lambda raw=raw, headers=headers: self._connections.js.publish(
                    namespace.dead_subject, raw, stream=namespace.dead_stream, headers=headers
                )
            )

    async def _until_answered(self, action: Callable[[], Awaitable[_Result]]) -> _Result:
        """Wait out a dead broker or store, or a full stream. Each action is safe to repeat: fenced, absolute,
        or read-only."""
        while True:
            try:
                result = await action()
            except (
                AppendUnansweredError,
                NatsError,
                StoreConnectionError,
                StoreTimeoutError,
                TimeoutError,
            ) as error:
                self.waiting_for = f"waits: {error or type(error).__name__}"
                logger.warning("partition %d %s", self._partition, self.waiting_for)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                self.waiting_for = None
                return result
