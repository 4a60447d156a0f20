"""An emptied store filled again from FEED: states and positions, catalogue, served contents, version numbers.

The joiners' own code moves the states, over what EXAMPLES holds already, so what comes out is what was there.
FEED is read from the archive as far as the stream no longer reaches back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from actors.catalogue import Catalogue
from actors.connections import Connections
from actors.crews import share_of
from actors.epochs import take_epoch
from actors.joiner_partition import JoinerPartition
from actors.names import partition_of_subject
from actors.stream_reader import StreamMessage, StreamReader, stream_incarnation
from actors.user_store import UserStore
from learners.feature_shape import SERVED_SHAPE
from learners.feed_records import cleaned_records
from learners.joiner import JoinerSettings
from messages.codec import MalformedMessageError
from messages.content import ContentFacts
from messages.feed import FeedMessage
from messages.impressions import Impression

_CHUNK = 256
_FETCH_SECONDS = 1.0
_WRITER = "rebuild"


class RebuildError(Exception):
    """The streams and the archive together do not hold what is needed; the text says which messages miss."""


@dataclass(frozen=True, slots=True)
class RebuiltStates:
    """messages: of FEED, read. was_empty: the store had no positions; only then are contents, served contents
    and version numbers written. states: how many people have one now, of those met."""

    messages: int
    from_archive: int
    was_empty: bool
    contents: int
    impressions: int
    positions: dict[int, int]


async def rebuild_states(
    connections: Connections, settings: JoinerSettings, archived: Iterable[StreamMessage], row_group: str
) -> RebuiltStates:
    """Bring states to where FEED ends. No joiner may run; one that does is overtaken, and stops.

    archived: FEED of the stream that is there, from the beginning or later, in order. row_group: of the model
    whose version numbers the impressions bear. Raises RebuildError where messages are missing.
    """
    partitions = range(connections.num_partitions)
    for partition in partitions:
        await take_epoch(connections, share_of("joiner", partition))
    drivers = [JoinerPartition(connections, partition, settings, _WRITER) for partition in partitions]
    was_empty = not any([await connections.redis.exists(_position(connections, p)) for p in partitions])
    start = min([await driver.resume() for driver in drivers], default=1)
    beside = _BesideStates(connections, row_group) if was_empty else None
    first = await _first_of_stream(connections)
    num_archived = num_streamed = 0
    following = max(start, first) if await _was_read_up_to(connections, first) else start
    for chunk in _chunks(message for message in archived if following <= message.sequence < first):
        following = _continued(chunk, following)
        num_archived += len(chunk)
        await _take(chunk, drivers, beside)
    if following < first:
        raise RebuildError(
            f"FEED begins at {first}: {following} to {first - 1} are neither there nor in the archive"
        )
    async for chunk in _stream(connections, following):
        num_streamed += len(chunk)
        await _take(chunk, drivers, beside)
    if beside is not None:
        await beside.finish()
    return RebuiltStates(
        messages=num_archived + num_streamed,
        from_archive=num_archived,
        was_empty=was_empty,
        contents=0 if beside is None else beside.num_contents,
        impressions=0 if beside is None else beside.num_impressions,
        positions={partition: driver.position for partition, driver in enumerate(drivers)},
    )


class _BesideStates:
    """What HTTP edge and replicas wrote into the store besides, as far as FEED tells of it."""

    def __init__(self, connections: Connections, row_group: str) -> None:
        self._connections = connections
        self._row_group = row_group
        self._catalogue = Catalogue(connections.redis, connections.namespace)
        self._users = UserStore(connections.redis, connections.namespace)
        self._newest_version = 0
        self.num_contents = 0
        self.num_impressions = 0

    async def take(self, partition: int, stored: StreamMessage) -> None:
        try:
            message = FeedMessage.decode(stored.data)
        except MalformedMessageError:
            return  # a dead letter: the joiner has buried it
        for record in cleaned_records(message, partition, self._connections.num_partitions, SERVED_SHAPE):
            body = record.body
            if isinstance(body, Impression):
                if body.features is not None:  # else of a replayed log: no replica served it
                    await self._users.add_served(body.user_id, body.contents.content_keys)
                    self._newest_version = max(self._newest_version, body.model.counter)
                    self.num_impressions += 1
            elif isinstance(body, dict) and body["event_type"] == "content_upload":
                await self._catalogue.put(ContentFacts.from_upload(body))
                self.num_contents += 1

    async def finish(self) -> None:
        """Version numbers never fall: the next one lies above all that an impression names."""
        key = self._connections.namespace.key("version", self._row_group)
        if self._newest_version > int(await self._connections.redis.get(key) or 0):
            await self._connections.redis.set(key, self._newest_version)


async def _take(
    chunk: Sequence[StreamMessage], drivers: Sequence[JoinerPartition], beside: _BesideStates | None
) -> None:
    by_partition: dict[int, list[StreamMessage]] = defaultdict(list)
    for message in chunk:
        by_partition[partition_of_subject(message.subject)].append(message)
    for partition, messages in by_partition.items():
        await drivers[partition].handle(messages)
        if beside is not None:
            for message in messages:
                await beside.take(partition, message)


def _chunks(messages: Iterable[StreamMessage]) -> Iterator[list[StreamMessage]]:
    remaining = iter(messages)
    while chunk := list(islice(remaining, _CHUNK)):
        yield chunk


def _continued(chunk: Sequence[StreamMessage], following: int) -> int:
    """Return what comes after a chunk of the archive. FEED has no gaps but those of trimming."""
    for message in chunk:
        if message.sequence != following:
            raise RebuildError(f"the archive of FEED lacks messages {following} to {message.sequence - 1}")
        following += 1
    return following


async def _first_of_stream(connections: Connections) -> int:
    info = await connections.js.stream_info(connections.namespace.feed_stream)
    return int(info.state.first_seq or 1)


async def _was_read_up_to(connections: Connections, first: int) -> bool:
    """Say whether joiners noted that they read all before `first`: positions of idle partitions do not."""
    noted = await connections.redis.mget(
        [connections.namespace.key("feed-read", partition) for partition in range(connections.num_partitions)]
    )
    return all(value is not None and int(value) >= first - 1 for value in noted)


async def _stream(connections: Connections, start: int) -> AsyncIterator[list[StreamMessage]]:
    """Yield what the stream holds now, in chunks."""
    js, namespace = connections.js, connections.namespace
    last = int((await js.stream_info(namespace.feed_stream)).state.last_seq)
    created = await stream_incarnation(js, connections.redis, namespace, namespace.feed_stream)
    reader = StreamReader(
        connections.nats, namespace.feed_stream, [namespace.feed_subject("*")], start, created=created
    )
    while reader.next_sequence <= last:
        yield await reader.fetch(_CHUNK, _FETCH_SECONDS)
    await reader.close()


def _position(connections: Connections, partition: int) -> str:
    return connections.namespace.key("position", partition)
