"""Puts events and impressions on FEED, acknowledged by the broker before the caller goes on."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from actors.names import Namespace
from messages.feed import FeedMessage, RecordKind
from messages.identifiers import partition_of
from messages.impressions import Impression

_PUBLISH_TIMEOUT_SECONDS = 5.0
_MAX_RECORDS_PER_MESSAGE = 500


class StreamUnavailableError(Exception):
    """The broker did not take a message: it is away, or the stream is full. The client should try again."""


class FeedPublisher:
    """One per process; stateless but for the connection."""

    def __init__(self, js: JetStreamContext, namespace: Namespace, num_partitions: int) -> None:
        self._js = js
        self._namespace = namespace
        self._num_partitions = num_partitions

    def partition_of(self, user_id: str) -> int:
        return partition_of(user_id, self._num_partitions)

    async def publish_events(self, events: Sequence[dict[str, Any]]) -> dict[int, int]:
        """Publish validated wire maps; an upload goes to its creator's partition, the rest to the user's.

        Returns the FEED sequence that each touched partition has reached. Raises StreamUnavailableError; some
        of the events may then be stored already: sent again, they are dropped by their ids.
        """
        records: dict[int, list[tuple[RecordKind, Any]]] = defaultdict(list)
        for event in events:
            owner = event["creator_id"] if event["event_type"] == "content_upload" else event["user_id"]
            records[partition_of(owner, self._num_partitions)].append(("event", event))
        messages = [
            (partition, FeedMessage(chunk[start : start + _MAX_RECORDS_PER_MESSAGE]))
            for partition, chunk in records.items()
            for start in range(0, len(chunk), _MAX_RECORDS_PER_MESSAGE)
        ]
        sequences = await asyncio.gather(
            *(self.publish(partition, message) for partition, message in messages)
        )
        positions: dict[int, int] = {}
        for (partition, _), sequence in zip(messages, sequences, strict=True):
            positions[partition] = max(sequence, positions.get(partition, 0))
        return positions

    async def publish_impression(self, impression: Impression) -> int:
        """Publish one slate to its user's partition and return its FEED sequence."""
        message = FeedMessage([("impression", impression.to_wire())])
        return await self.publish(self.partition_of(impression.user_id), message)

    async def publish(self, partition: int, message: FeedMessage) -> int:
        """Append one message to a partition and return its FEED sequence. Raises StreamUnavailableError."""
        try:
            acknowledged = await self._js.publish(
                self._namespace.feed_subject(partition),
                message.encode(),
                timeout=_PUBLISH_TIMEOUT_SECONDS,
                stream=self._namespace.feed_stream,
            )
        except (NatsError, TimeoutError) as error:
            raise StreamUnavailableError(f"FEED did not take the message: {error or 'no answer'}") from error
        return int(acknowledged.seq)
