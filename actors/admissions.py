"""Lets quarantined batches in, each exactly once, by binding them to a position of EXAMPLES.

A position that an update moves buckets past says whether they hold it. So an entry that is let in is bound,
before the push, to the end of a span: from then on whatever update takes a bucket past that position carries
the entry's examples too, whoever makes it and however often it is made again after a crash or a restore. A
bucket passes a position once, and so takes the entry once.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from actors.connections import Connections
from actors.names import partition_of_subject
from actors.quarantine_store import QuarantineEntry, QuarantineStore
from actors.stream_reader import StreamReader, StreamTrimmedError
from messages.examples import ExampleBatch
from messages.updates import Span

_ASK_SECONDS = 1.0
_FETCH_SECONDS = 2.0


def passes(spans: Mapping[int, Span], bound_to: tuple[int, int]) -> bool:
    """Say whether an update with these spans takes buckets past a bound position."""
    partition, position = bound_to
    span = spans.get(partition)
    return span is not None and span.start < position <= span.end


class Admissions:
    """The learner's side; one owner of the group at a time."""

    def __init__(self, connections: Connections, store: QuarantineStore, epoch: int) -> None:
        self._connections = connections
        self._store = store
        self._epoch = epoch
        self._entries: list[QuarantineEntry] = []
        self._num_requested = -1
        self._asked_at = float("-inf")

    async def coming_with(self, spans: Mapping[int, Span], *, may_bind: bool) -> list[QuarantineEntry]:
        """Return the entries that the update with these spans must carry.

        may_bind: whether every bucket stands at the start of the spans; only then may what was asked for be
        bound to their end, since a bucket that is past it would never take it.
        """
        await self._ask()
        found = []
        for place, entry in enumerate(self._entries):
            if entry.state == "requested" and may_bind:
                partition = min(spans)
                await self._store.bind(entry.number, partition, spans[partition].end, self._epoch)
                self._entries[place] = entry = await self._store.entry(entry.number)
            if entry.bound_to is not None and entry.state != "refused" and passes(spans, entry.bound_to):
                found.append(entry)
        return found

    async def batch_of(self, entry: QuarantineEntry) -> ExampleBatch:
        """Read an entry's examples again. Raises StreamTrimmedError where EXAMPLES has dropped them."""
        return await read_entry(self._connections, entry)

    async def refuse(self, entry: QuarantineEntry, reason: str) -> None:
        await self._store.refuse(entry.number, reason)
        self._num_requested = -1

    async def learned(self, spans: Mapping[int, Span]) -> None:
        """Every bucket is past these spans: note what they carried."""
        for entry in self._entries:
            if entry.state == "bound" and entry.bound_to is not None:
                partition, position = entry.bound_to
                if partition in spans and position <= spans[partition].end:
                    await self._store.mark_learned(entry.number)
                    self._num_requested = -1

    async def _ask(self) -> None:
        """Look for new requests now and then; bindings are this owner's own but at first."""
        now = time.monotonic()
        if self._num_requested >= 0 and now - self._asked_at < _ASK_SECONDS:
            return
        self._asked_at = now
        num_requested = await self._store.num_requested()
        if num_requested != self._num_requested:
            self._entries = [entry for entry in await self._store.entries() if entry.state != "waiting"]
            self._num_requested = num_requested


async def read_entry(connections: Connections, entry: QuarantineEntry) -> ExampleBatch:
    """Read the examples of an entry from the stream. Raises StreamTrimmedError."""
    parts = []
    namespace = connections.namespace
    for partition, (start, end) in sorted(entry.spans.items()):
        subject = namespace.examples_subject(partition)
        reader = StreamReader(connections.nats, namespace.examples_stream, [subject], start + 1)
        try:
            last = start
            while last < end:
                messages = await reader.fetch(256, _FETCH_SECONDS)
                if not messages:
                    raise StreamTrimmedError(f"{subject} no longer has {last + 1} to {end}")
                for message in messages:
                    assert partition_of_subject(message.subject) == partition
                    last = message.sequence
                    if last <= end:
                        parts.append(ExampleBatch.decode(message.data))
        finally:
            await reader.close()
    return ExampleBatch.concatenate(parts)
