"""The accounts of a log as far as it was published: what one process makes of it, and what a system holds.

Both sides are kept up as the log goes on, so that they can be compared again and again. The system's are read
from its streams, its store and its snapshots alone: its shards may be where nobody can call them.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path

import numpy as np

from actors.connections import Connections
from actors.model_groups import counters_plan
from actors.names import partition_of_subject
from actors.stream_reader import StreamMessage, StreamReader
from learners.batch_updates import counter_update
from learners.joiner import JoinerSettings
from learners.span_cutter import SpanCutter
from messages.examples_header import ExamplesHeader
from messages.feed import FeedMessage
from messages.identifiers import NUM_BUCKETS
from messages.updates import COUNTERS_GROUP, CounterRows
from parameter_server.shard import ParameterShard
from parameter_server.snapshots import restore_latest
from simulations.in_process_streams import InProcessStreams

_READ_SECONDS = 0.5
_USERS_AT_ONCE = 2_000
_BATCH_ROWS = 256


class CleanPrefix:
    """What comes of the messages taken so far where nothing fails, in `partitions` alone."""

    def __init__(self, joiner: JoinerSettings, partitions: Collection[int]) -> None:
        """joiner: with the number of all partitions."""
        every = range(joiner.num_partitions)
        self._streams = InProcessStreams(joiner)
        self._cutter = SpanCutter({partition: np.zeros(1, dtype=np.int64) for partition in every})
        plan = counters_plan(joiner.num_partitions)
        self._shard = ParameterShard(0, np.arange(NUM_BUCKETS), "clean")
        self._shard.create_group(COUNTERS_GROUP, plan.settings, plan.dense)
        self.partitions = sorted(partitions)
        self.examples: dict[int, list[bytes]] = {partition: [] for partition in partitions}
        """Digests of the EXAMPLES messages, in order."""
        self.num_rows = dict.fromkeys(partitions, 0)
        self.num_feed = dict.fromkeys(partitions, 0)

    def take(self, partition: int, message: FeedMessage) -> None:
        """Join and count one message, which must bring its own clock."""
        assert message.log_time is not None
        self._streams.append(partition, FeedMessage.decode(message.encode()), message.log_time)
        self.num_feed[partition] += 1
        for appended in self._streams.join():
            self.examples[partition].append(_digest(appended.batch.encode()))
            self.num_rows[partition] += len(appended.batch)
            self._cutter.add(appended)

    @property
    def states(self) -> dict[str, tuple[bytes | None, bytes | None]]:
        return self._streams.states

    def counters(self) -> CounterRows:
        while (mini_batch := self._cutter.cut(_BATCH_ROWS)) is not None:
            self._shard.apply_update(counter_update(1, mini_batch, mini_batch.batch()))
            self._cutter.done(mini_batch)
        counted = self._shard.deltas_since(COUNTERS_GROUP, -1, "").counters
        assert counted is not None
        return counted


class SystemPrefix:
    """What a system's streams, store and snapshots say. group: of the model that learns."""

    def __init__(self, snapshot_root: Path, group: str) -> None:
        self._root = snapshot_root
        self._groups = (group, COUNTERS_GROUP)
        self._next = {"feed": 1, "examples": 1}
        self._feed: dict[int, list[int]] = defaultdict(list)
        self._covered: dict[int, list[int]] = defaultdict(list)
        self._examples: dict[int, list[bytes]] = defaultdict(list)

    def is_written(self, clean: CleanPrefix) -> bool:
        """Say whether the newest snapshots together hold as many examples as were joined, in both groups."""
        shard = self._restored()
        return shard is not None and all(
            shard.has_group(group)
            and all(
                shard.positions(group).applied[:, partition].min() >= clean.num_rows[partition]
                for partition in clean.partitions
            )
            for group in self._groups
        )

    async def differences(self, connections: Connections, clean: CleanPrefix) -> list[str]:
        """Return what is not as in the clean accounts, a line each; nothing where all is equal."""
        await self._read_on(connections, clean.partitions)
        shard = self._restored()
        if shard is None:
            return ["there is no snapshot"]
        missing = [group for group in self._groups if not shard.has_group(group)]
        if missing:
            return [f"the newest snapshots have no {missing}, but {sorted(shard.group_names())}"]
        found = self._examples_differ(clean)
        found += self._positions_differ(shard, clean)
        found += _counters_differ(shard, clean)
        return found + await _states_differ(connections, clean)

    def _restored(self) -> ParameterShard | None:
        shard = ParameterShard(0, np.arange(NUM_BUCKETS), "restored")
        return shard if restore_latest(shard, self._root) is not None else None

    async def _read_on(self, connections: Connections, partitions: Collection[int]) -> None:
        """Read what came to these partitions alone: others may be written to all the while, without end."""
        namespace = connections.namespace
        feed = [namespace.feed_subject(partition) for partition in partitions]
        for message in await self._read(connections, "feed", namespace.feed_stream, feed):
            self._feed[partition_of_subject(message.subject)].append(message.sequence)
        examples = [namespace.examples_subject(partition) for partition in partitions]
        for message in await self._read(connections, "examples", namespace.examples_stream, examples):
            partition = partition_of_subject(message.subject)
            self._examples[partition].append(_digest(message.data))
            self._covered[partition].append(ExamplesHeader.from_headers(message.headers).feed_position)

    async def _read(
        self, connections: Connections, name: str, stream: str, subjects: list[str]
    ) -> list[StreamMessage]:
        reader = StreamReader(connections.nats, stream, subjects, self._next[name])
        found: list[StreamMessage] = []
        while messages := await reader.fetch(_BATCH_ROWS, _READ_SECONDS):
            found += messages
        await reader.close()
        self._next[name] = reader.next_sequence
        return found

    def _examples_differ(self, clean: CleanPrefix) -> list[str]:
        found = []
        for partition in clean.partitions:
            if self._examples[partition] != clean.examples[partition]:
                found.append(
                    f"EXAMPLES of partition {partition}: {len(self._examples[partition])} messages that are "
                    f"not the {len(clean.examples[partition])} of a clean run"
                )
            if self._covered[partition] != self._feed[partition]:
                found.append(f"EXAMPLES of partition {partition} do not cover each FEED message once")
            if len(self._feed[partition]) != clean.num_feed[partition]:
                found.append(f"FEED of partition {partition} holds {len(self._feed[partition])} messages")
        return found

    def _positions_differ(self, shard: ParameterShard, clean: CleanPrefix) -> list[str]:
        found = []
        for group in self._groups:
            positions = shard.positions(group)
            if len(positions.buckets) != NUM_BUCKETS:
                found.append(f"{group}: {len(positions.buckets)} of {NUM_BUCKETS} buckets")
            for partition in clean.partitions:
                applied = np.unique(positions.applied[:, partition]).tolist()
                if applied != [clean.num_rows[partition]]:
                    found.append(
                        f"{group}: buckets applied {applied} examples of partition {partition}, not "
                        f"{clean.num_rows[partition]}"
                    )
        return found


def _counters_differ(shard: ParameterShard, clean: CleanPrefix) -> list[str]:
    """Compare the counters of the contents that the log names; decayed sums within rounding, since the order
    of additions is not fixed."""
    expected, counted = clean.counters(), shard.deltas_since(COUNTERS_GROUP, -1, "").counters
    assert counted is not None
    order = np.argsort(counted.ids)
    places = np.searchsorted(counted.ids[order], expected.ids)
    there = order[np.minimum(places, len(order) - 1)]
    equal = (
        (counted.ids[there] == expected.ids)
        & (counted.totals[there] == expected.totals).all(axis=1)
        & np.isclose(counted.decayed[there], expected.decayed, rtol=1e-9).all(axis=(1, 2))
    )
    wrong = int((~equal).sum())
    return [f"counters of {wrong} contents of {len(equal)} differ"] if wrong else []


async def _states_differ(connections: Connections, clean: CleanPrefix) -> list[str]:
    key, wrong = connections.namespace.key, 0
    users = list(clean.states)
    for start in range(0, len(users), _USERS_AT_ONCE):
        chunk = users[start : start + _USERS_AT_ONCE]
        values = await connections.redis.mget(
            [key(kind, user) for user in chunk for kind in ("state", "join")]
        )
        pairs = zip(values[::2], values[1::2], strict=True)
        wrong += sum(pair != clean.states[user] for user, pair in zip(chunk, pairs, strict=True))
    return [f"states of {wrong} people of {len(users)} differ"] if wrong else []


def _digest(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()
