"""Carries EXAMPLES to one group of the parameter server exactly once: a model's rows, or the counters."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

import numpy as np
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from pydantic import BaseModel, ConfigDict, Field

from actors.epochs import OvertakenError
from actors.names import Namespace, partition_of_subject
from actors.parameter_client import ParameterClient
from actors.streams import StreamReader, StreamRecreatedError, StreamTrimmedError
from learners.span_cutter import ExamplesMessage, LostExamplesError, MiniBatch, SpanCutter
from messages.examples import ExampleBatch, ExamplesHeader
from messages.updates import Update, UpdateOutcome

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
    """Another owner with a higher epoch feeds this group: this one must claim it again, or stop."""


NEEDS_OPERATOR = (OvertakenError, LostExamplesError, StreamTrimmedError, StreamRecreatedError)
"""What a follower must not get over by itself: somebody else has the work, or events would be skipped."""


class ExamplesFollower:
    """Reads from where the buckets stand, cuts mini-batches, pushes updates, and knows what answers mean."""

    def __init__(
        self,
        js: JetStreamContext,
        namespace: Namespace,
        client: ParameterClient,
        group: str,
        partitions: Sequence[int],
        settings: BatchingSettings,
        created: str | None = None,
    ) -> None:
        """created: when the EXAMPLES was made that the positions belong to (`stream_incarnation`)."""
        self._js = js
        self._namespace = namespace
        self._client = client
        self._group = group
        self._partitions = list(partitions)
        self._settings = settings
        self._cutter = SpanCutter({})
        self._reader: StreamReader | None = None
        self._first_waiting_since = 0.0
        self._created = created
        self.waiting_for: str | None = None
        """What the broker answers while this waits for it."""

    async def reopen(self) -> None:
        """Stand where the parameter server stands (at start, or after its answers said so)."""
        if self._reader is not None:
            await self._reader.close()
        positions = await self._client.positions(self._group)
        self._cutter = SpanCutter(
            {
                partition: np.concatenate([shard.examples[:, partition] for shard in positions])
                for partition in self._partitions
            }
        )
        subjects = [self._namespace.examples_subject(partition) for partition in self._partitions]
        self._reader = StreamReader(
            self._js,
            self._namespace.examples_stream,
            subjects,
            self._cutter.start_sequence,
            created=self._created,
        )
        self._first_waiting_since = 0.0

    async def close(self) -> None:
        """Let go of the broker's consumer."""
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.close()

    @property
    def buckets_agree(self) -> bool:
        """Whether every bucket stands at the start of the next mini-batch."""
        return self._cutter.buckets_agree

    async def next(self) -> MiniBatch | None:
        """Return the next mini-batch, or None where there is nothing to do yet."""
        await self._read()
        if not self._cutter.num_waiting_messages:
            return None
        if not self._is_due():
            return None
        cut = self._cutter.cut_in_time_order if self._settings.in_time_order else self._cutter.cut
        return cut(self._settings.max_rows)

    async def push(self, mini_batch: MiniBatch, update: Update) -> bool:
        """Offer an update; True once every bucket holds it.

        False: the shards stand elsewhere than thought (one was restored); everything is read again from where
        they stand. Raises OwnershipLostError.
        """
        replies = await self._client.push(update)
        outcomes = {reply.outcome for reply in replies.values()}
        if UpdateOutcome.STALE_EPOCH in outcomes:
            raise OwnershipLostError(f"group {self._group}: epoch {update.epoch} is over")
        if outcomes <= {UpdateOutcome.APPLIED, UpdateOutcome.DUPLICATE}:
            self._cutter.done(mini_batch)
            self._first_waiting_since = time.monotonic()
            return True
        logger.warning("group %s: %s, reading positions again", self._group, sorted(outcomes))
        await self.reopen()
        return False

    def _is_due(self) -> bool:
        rows = self._cutter.num_waiting_rows
        waited = time.monotonic() - self._first_waiting_since
        if rows == 0 and not self._settings.in_time_order:
            return waited >= self._settings.empty_flush_seconds
        return rows >= self._settings.max_rows or waited >= self._settings.max_wait_seconds

    async def _read(self) -> None:
        assert self._reader is not None, "reopen() comes first"
        waiting = self._cutter.num_waiting_messages
        if self._cutter.num_waiting_rows >= self._settings.max_waiting_rows:
            return
        patience = self._settings.max_wait_seconds if waiting else _IDLE_FETCH_SECONDS
        try:
            stored = await self._reader.fetch(_FETCH_MESSAGES, max(patience, 0.001))
        except NatsError as error:
            self.waiting_for = f"reads EXAMPLES again: {error or type(error).__name__}"
            await asyncio.sleep(_RETRY_SECONDS)
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
        if not waiting and self._cutter.num_waiting_messages:
            self._first_waiting_since = time.monotonic()
