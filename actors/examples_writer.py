"""Appends to one partition of EXAMPLES so that of two joiners on it one fails and stops."""

from __future__ import annotations

from dataclasses import dataclass

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import Header
from nats.js.errors import APIError, NotFoundError

from actors.names import Namespace
from messages.examples import ExampleBatch
from messages.examples_header import ExamplesHeader

_APPEND_TIMEOUT_SECONDS = 5.0
_WRONG_LAST_SEQUENCE = 10071


class PartitionTakenError(Exception):
    """Another writer has appended to this partition: this joiner is a zombie and must stop."""


class ExamplesTrimmedError(Exception):
    """The stored states are older than EXAMPLES reaches back: they must be rebuilt."""


class AppendUnansweredError(Exception):
    """The broker gave no answer; whether the message is stored is unknown until the last one is read."""


@dataclass(frozen=True, slots=True)
class LastExamples:
    """The newest EXAMPLES message of a partition. sequence: 0 where there is none."""

    sequence: int
    header: ExamplesHeader | None


class ExamplesWriter:
    """The fenced end of one EXAMPLES partition."""

    def __init__(self, js: JetStreamContext, namespace: Namespace, partition: int, writer: str) -> None:
        self._js = js
        self._stream = namespace.examples_stream
        self._subject = namespace.examples_subject(partition)
        self._writer = writer
        self._last_sequence = 0

    @property
    def last_sequence(self) -> int:
        return self._last_sequence

    async def read_last(self) -> LastExamples:
        """Read the end of the partition and stand there."""
        try:
            message = await self._js.get_last_msg(self._stream, self._subject)
        except NotFoundError:
            self._last_sequence = 0
            return LastExamples(0, None)
        assert message.seq is not None
        self._last_sequence = message.seq
        return LastExamples(message.seq, ExamplesHeader.from_headers(message.headers))

    async def replay_from(self, feed_position: int) -> int:
        """Return how far back FEED must be read to go on where the stored states stand, at `feed_position`.

        Each message says it for what stood one message before it. States are one message behind EXAMPLES at
        most, unless the store lost its tail: then one message after the other is looked at, backwards. Raises
        ExamplesTrimmedError where EXAMPLES no longer reaches back so far.
        """
        if not feed_position:
            return 1
        last = await self.read_last()
        header, earliest = last.header, feed_position + 1
        while header is not None:
            earliest = min(earliest, header.replay_from)
            if header.feed_position <= feed_position or not header.previous:
                break
            try:
                message = await self._js.get_msg(self._stream, header.previous)
            except NotFoundError as error:
                raise ExamplesTrimmedError(
                    f"{self._subject}: states stand at {feed_position}, before what EXAMPLES still holds"
                ) from error
            header = ExamplesHeader.from_headers(message.headers)
        return earliest

    async def append(
        self, batch: ExampleBatch, feed_position: int, watermark: float, replay_from: int
    ) -> int:
        """Append and return the sequence. A lost answer is found out by reading the last message.

        Raises PartitionTakenError, or AppendUnansweredError where the broker stayed silent.
        """
        header = ExamplesHeader(self._writer, feed_position, watermark, replay_from, self._last_sequence)
        headers = header.to_headers() | {Header.EXPECTED_LAST_SUBJECT_SEQUENCE: str(self._last_sequence)}
        try:
            acknowledged = await self._js.publish(
                self._subject,
                batch.encode(),
                timeout=_APPEND_TIMEOUT_SECONDS,
                stream=self._stream,
                headers=headers,
            )
        except APIError as error:
            if error.err_code != _WRONG_LAST_SEQUENCE:
                raise AppendUnansweredError(str(error)) from error
            return await self._own_or_stop(header)
        except (NatsError, TimeoutError) as error:
            raise AppendUnansweredError(str(error) or "no answer") from error
        self._last_sequence = int(acknowledged.seq)
        return self._last_sequence

    async def _own_or_stop(self, header: ExamplesHeader) -> int:
        """After a refusal: the last message is ours (its answer was lost), or somebody else's."""
        last = await self.read_last()
        if last.header is not None and (last.header.writer, last.header.feed_position) == (
            header.writer,
            header.feed_position,
        ):
            return last.sequence
        writer = None if last.header is None else last.header.writer
        raise PartitionTakenError(f"{self._subject}: {writer} appended, {self._writer} stops")
