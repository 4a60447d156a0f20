"""Reads a system's accounts out of stream, shards and store, and says where they are not the clean ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from actors.connections import Connections
from actors.names import RAY_NAMESPACE, Namespace, partition_of_subject
from actors.parameter_client import RemoteShard
from actors.shard_readers import START
from actors.stream_reader import StreamMessage, StreamReader
from messages.examples_header import ExamplesHeader
from messages.identifiers import keys_of
from messages.updates import COUNTERS_GROUP
from simulations.chaos_stream import NUM_PARTITIONS, PROBE_PARTITION, Accounts, ChaosStream, Counters

_READ_SECONDS = 0.5
ACCOUNTED = [partition for partition in range(NUM_PARTITIONS) if partition != PROBE_PARTITION]


async def differences(
    connections: Connections, stream: ChaosStream, clean: Accounts, group: str, num_shards: int
) -> list[str]:
    """Return what is not as in the clean accounts, a line each; nothing where all is equal."""
    found = await _examples_differ(connections, clean)
    found += await _shards_differ(connections.namespace, clean, group, num_shards)
    found += await _counters_differ(connections.namespace, stream, clean, num_shards)
    return found + await _states_differ(connections, stream, clean)


async def has_settled(namespace: Namespace, last: dict[int, int], group: str, num_shards: int) -> bool:
    """Say whether every shard holds all that comes of FEED up to these sequences, in both groups."""
    for shard in range(num_shards):
        remote = RemoteShard(namespace.actor(f"shard-{shard}"), RAY_NAMESPACE)
        for name in (group, COUNTERS_GROUP):
            lowest = (await remote.positions(name)).lowest()
            if any(lowest[partition].feed < sequence for partition, sequence in last.items()):
                return False
    return True


async def _examples_differ(connections: Connections, clean: Accounts) -> list[str]:
    namespace = connections.namespace
    feed = await _read(connections, namespace.feed_stream, namespace.feed_subject("*"))
    examples = await _read(connections, namespace.examples_stream, namespace.examples_subject("*"))
    found = []
    for partition in ACCOUNTED:
        if [message.data for message in examples[partition]] != clean.examples[partition]:
            found.append(
                f"EXAMPLES of partition {partition}: {len(examples[partition])} messages, "
                f"not the {len(clean.examples[partition])} of a clean run"
            )
        covered = [
            ExamplesHeader.from_headers(message.headers).feed_position for message in examples[partition]
        ]
        if covered != [message.sequence for message in feed[partition]]:
            found.append(f"EXAMPLES of partition {partition} do not cover each FEED message once")
        if len(feed[partition]) != clean.feed_messages[partition]:
            found.append(f"FEED of partition {partition} holds {len(feed[partition])} messages")
    return found


async def _shards_differ(namespace: Namespace, clean: Accounts, group: str, num_shards: int) -> list[str]:
    found = []
    for shard in range(num_shards):
        remote = RemoteShard(namespace.actor(f"shard-{shard}"), RAY_NAMESPACE)
        for name in (group, COUNTERS_GROUP):
            positions = await remote.positions(name)
            for partition in ACCOUNTED:
                applied = np.unique(positions.applied[:, partition]).tolist()
                if applied != [clean.num_rows[partition]]:
                    found.append(
                        f"shard {shard}, {name}: buckets applied {applied} examples of partition "
                        f"{partition}, not {clean.num_rows[partition]}"
                    )
                if len(np.unique(positions.examples[:, partition])) != 1:
                    found.append(f"shard {shard}, {name}: buckets differ on partition {partition}")
    return found


async def _counters_differ(
    namespace: Namespace, stream: ChaosStream, clean: Accounts, num_shards: int
) -> list[str]:
    counted: dict[int, Counters] = {}
    for shard in range(num_shards):
        source = RemoteShard(namespace.actor(f"shard-{shard}"), RAY_NAMESPACE)
        (delta,) = await source.deltas_since({COUNTERS_GROUP: START})
        rows = delta.counters
        if rows is not None:
            parts = zip(rows.ids.tolist(), rows.totals, rows.decayed, strict=True)
            counted |= {key: Counters(totals, decayed) for key, totals, decayed in parts}
    names = [content.content_id for content in stream.contents]
    return [
        f"counters of {name} differ"
        for name, key in zip(names, keys_of(names).tolist(), strict=True)
        if key not in counted or key not in clean.counters or not counted[key].equals(clean.counters[key])
    ]


async def _states_differ(connections: Connections, stream: ChaosStream, clean: Accounts) -> list[str]:
    key = connections.namespace.key
    keys = [key(kind, user) for user in stream.users for kind in ("state", "join")]
    values: Sequence[bytes | None] = await connections.redis.mget(keys)
    pairs = zip(values[::2], values[1::2], strict=True)
    return [
        f"state of {user} differs"
        for user, pair in zip(stream.users, pairs, strict=True)
        if pair != clean.states[user]
    ]


async def _read(connections: Connections, stream: str, subject: str) -> dict[int, list[StreamMessage]]:
    reader = StreamReader(connections.nats, stream, [subject], 1)
    by_partition: dict[int, list[StreamMessage]] = defaultdict(list)
    while messages := await reader.fetch(256, _READ_SECONDS):
        for message in messages:
            by_partition[partition_of_subject(message.subject)].append(message)
    await reader.close()
    return by_partition
