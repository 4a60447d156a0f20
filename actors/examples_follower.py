"""Carries EXAMPLES to one group of the parameter server exactly once: a model's rows, or the counters."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from nats.aio.client import Client
from nats.errors import Error as NatsError
from pydantic import BaseModel, ConfigDict, Field

from actors.epochs import OvertakenError
from actors.names import Namespace, partition_of_subject
from actors.parameter_client import ParameterClient
from actors.stream_reader import StreamMessage, StreamReader, StreamRecreatedError, StreamTrimmedError
from learners.span_cutter import ExamplesMessage, LostExamplesError, MiniBatch, SpanCutter
from messages.examples import ExampleBatch
from messages.examples_header import ExamplesHeader
from messages.updates import PullRequest, Update, UpdateOutcome
from parameter_server.routing import MergedPull

logger = logging.getLogger(__name__)

_FETCH_MESSAGES = 256
_IDLE_FETCH_SECONDS = 0.5
_RETRY_SECONDS = 0.2


class BatchingSettings(BaseModel):
    """When a mini-batch goes (specification, section 6.2): full, or old."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_rows: int = Field(default=256, ge=1)
    max_wait_seconds: float = Field(default=0.02, ge=0)
    """How long the first waiting row may wait for company."""
    empty_flush_seconds: float = Field(default=1.0, ge=0)
    """Stretches of EXAMPLES without rows are merged and sent this often."""
    max_waiting_rows: int = Field(default=20_000, ge=1)
    """Reading stops here until training catches up: the stream is the buffer, not this process."""
    in_time_order: bool = False
    """For replays: see SpanCutter.cut_in_time_order."""


class OwnershipLostError(Exception):
    """Another owner with a higher epoch feeds this group: this one must claim it again, or stop.

    is_somewhere: whether a shard took the update before the other owner came to it.
    """

    def __init__(self, text: str, *, is_somewhere: bool) -> None:
        super().__init__(text)
        self.is_somewhere = is_somewhere


@dataclass(frozen=True, slots=True)
class Pushed:
    """is_held: every bucket holds the update now; if not, all is read again from where they stand.
    is_somewhere: a bucket holds it, so what is pushed instead may lack its rows. pulled: what was asked for
    besides, as it is after the update, where it could be read at once."""

    is_held: bool
    is_somewhere: bool
    pulled: MergedPull | None = None


NEEDS_OPERATOR = (OvertakenError, LostExamplesError, StreamTrimmedError, StreamRecreatedError)
"""What a follower must not get over by itself: somebody else has the work, or events would be skipped."""


class ExamplesFollower:
    """Reads from where the buckets stand, cuts mini-batches, pushes updates, and knows what answers mean."""

    def __init__(
        self,
        nats: Client,
        namespace: Namespace,
        client: ParameterClient,
        group: str,
        partitions: Sequence[int],
        settings: BatchingSettings,
        created: str | None = None,
    ) -> None:
        """created: when the EXAMPLES was made that the positions belong to (`stream_incarnation`)."""
        self._nats = nats
        self._namespace = namespace
        self._client = client
        self._group = group
        self._partitions = list(partitions)
        self._settings = settings
        self._cutter = SpanCutter({})
        self._reader: StreamReader | None = None
        self._reading: asyncio.Task[list[StreamMessage]] | None = None
        self._arrived: deque[tuple[int, float]] = deque()
        """When what waits was read: up to which sequence, and the monotonic clock's seconds."""
        self._created = created
        self.waiting_for: str | None = None
        """What the broker answers while this waits for it."""

    async def reopen(self) -> None:
        """Stand where the parameter server stands (at start, or after its answers said so)."""
        await self.close()
        positions = await self._client.positions(self._group)
        self._cutter = SpanCutter(
            {
                partition: np.concatenate([shard.examples[:, partition] for shard in positions])
                for partition in self._partitions
            }
        )
        subjects = self._namespace.examples_subjects(self._partitions, positions[0].num_partitions)
        self._reader = StreamReader(
            self._nats,
            self._namespace.examples_stream,
            subjects,
            self._cutter.start_sequence,
            created=self._created,
        )
        self._arrived.clear()

    async def close(self) -> None:
        """Let go of the broker's consumer."""
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
            await asyncio.wait({reading})
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.close()

    @property
    def buckets_agree(self) -> bool:
        """Whether every bucket stands at the start of the next mini-batch."""
        return self._cutter.buckets_agree

    async def next(self) -> MiniBatch | None:
        """Return the next mini-batch, or None where there is nothing to do yet."""
        self._take_what_was_read()
        if (mini_batch := self._cut()) is not None:
            return mini_batch
        await self._read()
        return self._cut()

    def _cut(self) -> MiniBatch | None:
        """Cut what is due; None also where, in time order, a partition's next message has yet to be read."""
        if not self._is_due():
            return None
        cut = self._cutter.cut_in_time_order if self._settings.in_time_order else self._cutter.cut
        return cut(self._settings.max_rows)

    def next_after(self, mini_batch: MiniBatch) -> MiniBatch | None:
        """Return the mini-batch that follows one which is not pushed yet, where that is known and due."""
        if self._settings.in_time_order:
            return None
        self._take_what_was_read()
        if not self._is_due(mini_batch):
            return None
        return self._cutter.cut_after(mini_batch, self._settings.max_rows)

    async def push(
        self, mini_batch: MiniBatch, update: Update, following: PullRequest | None = None
    ) -> Pushed:
        """Offer an update, and read what `following` asks for as it is after it. Reads on meanwhile.

        Raises OwnershipLostError.
        """
        self._read_ahead()
        replies, pulled = await self._client.push_and_pull(update, following)
        outcomes = {reply.outcome for reply in replies.values()}
        is_somewhere = any(outcome.is_held for outcome in outcomes)
        if UpdateOutcome.STALE_EPOCH in outcomes:
            raise OwnershipLostError(
                f"group {self._group}: epoch {update.epoch} is over", is_somewhere=is_somewhere
            )
        if all(outcome.is_held for outcome in outcomes):
            self._cutter.done(mini_batch)
            last = _last_of(mini_batch)
            while self._arrived and self._arrived[0][0] <= last:
                self._arrived.popleft()
            return Pushed(is_held=True, is_somewhere=True, pulled=pulled)
        logger.warning("group %s: %s, reading positions again", self._group, sorted(outcomes))
        await self.reopen()
        return Pushed(is_held=False, is_somewhere=is_somewhere)

    def _is_due(self, after: MiniBatch | None = None) -> bool:
        """Say whether the next mini-batch may be cut. after: one not pushed yet, which still waits."""
        messages, rows, last = self._cutter.num_waiting_messages, self._cutter.num_waiting_rows, 0
        if after is not None:
            messages, rows, last = messages - len(after.messages), rows - after.num_rows, _last_of(after)
        if not messages:
            return False
        since = next((moment for sequence, moment in self._arrived if sequence > last), 0.0)
        waited = time.monotonic() - since
        if rows == 0 and not self._settings.in_time_order:
            return waited >= self._settings.empty_flush_seconds
        return rows >= self._settings.max_rows or waited >= self._settings.max_wait_seconds

    def _read_ahead(self, *, is_needed: bool = False) -> None:
        """Begin to read what comes next, unless that is under way or enough is waiting.

        is_needed: nothing can be cut of what waits, however much that is.
        """
        assert self._reader is not None, "reopen() comes first"
        if self._reading is not None:
            return
        if self._cutter.num_waiting_rows >= self._settings.max_waiting_rows and not is_needed:
            return
        waiting = self._cutter.num_waiting_messages
        patience = self._settings.max_wait_seconds if waiting else _IDLE_FETCH_SECONDS
        self._reading = asyncio.ensure_future(self._reader.fetch(_FETCH_MESSAGES, max(patience, 0.001)))

    async def _read(self) -> None:
        self._read_ahead(is_needed=True)
        assert self._reading is not None
        await asyncio.wait({self._reading})
        self._take_what_was_read()
        if self.waiting_for is not None:
            await asyncio.sleep(_RETRY_SECONDS)

    def _take_what_was_read(self) -> None:
        if self._reading is None or not self._reading.done():
            return
        reading, self._reading = self._reading, None
        try:
            stored = reading.result()
        except NatsError as error:
            self.waiting_for = f"reads EXAMPLES again: {error or type(error).__name__}"
            return
        self.waiting_for = None
        for message in stored:
            self._cutter.add(
                ExamplesMessage(
                    partition_of_subject(message.subject),
                    message.sequence,
                    ExamplesHeader.from_headers(message.headers),
                    ExampleBatch.decode(message.data),
                )
            )
        if stored:
            self._arrived.append((stored[-1].sequence, time.monotonic()))


def _last_of(mini_batch: MiniBatch) -> int:
    return max(span.end for span in mini_batch.spans.values())
