"""A fixed stretch of FEED to be replayed through faults, and what must come of it whatever fails.

What joiners emit is a function of their partition's prefix, and counters are sums: the accounts follow from
the stream alone. They are made here by the same pure objects in one process, with neither broker nor store.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from actors.model_groups import counters_plan
from learners.batch_updates import counter_update
from learners.joiner import JoinerSettings
from learners.span_cutter import SpanCutter
from messages.arrays import DoubleArray, IntArray
from messages.content import ContentColumns, ContentFacts
from messages.events import ContentMetadata
from messages.examples import ExampleBatch
from messages.feed import FeedMessage, RecordKind
from messages.identifiers import NUM_BUCKETS, partition_of
from messages.impressions import Impression, ModelVersion, RequestContext
from messages.updates import COUNTERS_GROUP
from parameter_server.shard import ParameterShard
from simulations.in_process_streams import InProcessStreams

NUM_PARTITIONS = 4
PROBE_PARTITION = 3
"""Whoever probes belongs here: what probes leave on FEED must not stand among what is accounted for."""
_NUM_USERS = 24
_NUM_CONTENTS = 12
_FIRST_TIME = 1_750_000_000.0
_SLATE = 5
_SLATES = 12
"""In each message: so many rows that what a model learns of a short stream hardly depends on the order in
which partitions are read, which no fault leaves as it was."""


@dataclass(frozen=True, slots=True)
class Counters:
    """totals: int64 [t]. decayed: float64 [half-lives, kinds], to be compared within rounding: the order of
    additions is not fixed."""

    totals: IntArray
    decayed: DoubleArray

    def equals(self, other: Counters) -> bool:
        return bool(
            np.array_equal(self.totals, other.totals) and np.allclose(self.decayed, other.decayed, rtol=1e-9)
        )


@dataclass(frozen=True, slots=True)
class Accounts:
    """What a system knows of a stream when it is through.

    examples: by partition, the bytes of its EXAMPLES messages in order. num_rows: by partition, the events
    accepted; every bucket of every group must have applied so many. feed_messages: by partition, how many
    FEED messages they cover. counters: by content key. states: user id -> state and join state.
    """

    examples: Mapping[int, list[bytes]]
    num_rows: Mapping[int, int]
    feed_messages: Mapping[int, int]
    counters: Mapping[int, Counters]
    states: Mapping[str, tuple[bytes | None, bytes | None]]


def people(partitions: tuple[int, ...], number: int, prefix: str) -> list[str]:
    """Return names of people who belong to these partitions."""
    names = (f"{prefix}-{index}" for index in range(100 * number))
    return [name for name in names if partition_of(name, NUM_PARTITIONS) in partitions][:number]


def contents(prefix: str, number: int = _NUM_CONTENTS) -> list[ContentFacts]:
    return [
        ContentFacts(f"{prefix}-{index}", f"creator-{index % 3}", 1.0, ContentMetadata(duration=10.0))
        for index in range(number)
    ]


class ChaosStream:
    """One message after the other, each bringing its own clock: two runs do not append at the same time."""

    def __init__(self, num_messages: int, seed: int) -> None:
        self._num_messages = num_messages
        self._seed = seed
        accounted = tuple(partition for partition in range(NUM_PARTITIONS) if partition != PROBE_PARTITION)
        self.users = people(accounted, _NUM_USERS, "person")
        self.contents = contents("content")

    def __len__(self) -> int:
        return self._num_messages

    def messages(self) -> Iterator[tuple[int, FeedMessage]]:
        """Yield partition and message: slates, what became of them, some twice, and some nonsense."""
        return itertools.islice(self._drawn(), self._num_messages)

    def messages_after(self, number: int) -> Iterator[tuple[int, FeedMessage]]:
        """Yield what would come next: to be predicted by whoever has learned the stream."""
        return itertools.islice(self._drawn(), self._num_messages, self._num_messages + number)

    def _drawn(self) -> Iterator[tuple[int, FeedMessage]]:
        random = np.random.default_rng(self._seed)
        said: list[tuple[str, dict[str, Any]]] = []
        for index in itertools.count():
            now = _FIRST_TIME + index
            user = self.users[int(random.integers(len(self.users)))]
            records: list[tuple[RecordKind, Any]] = []
            for slate in range(_SLATES):
                drawn, events = self._slate(random, user, f"request-{index}-{slate}", now)
                records += drawn
                said += [(user, event) for event in events]
            again = [event for owner, event in said[-200:] if owner == user and random.random() < 0.2]
            records += [("event", event) for event in again]
            if random.random() < 0.1:
                records.append(("event", {"event_type": "view", "user_id": user, "timestamp": "no time"}))
            yield partition_of(user, NUM_PARTITIONS), FeedMessage(records, log_time=now)

    def _slate(
        self, random: np.random.Generator, user: str, request: str, now: float
    ) -> tuple[list[tuple[RecordKind, Any]], list[dict[str, Any]]]:
        """Return the records of one slate, and of its events those that end a watching.

        The higher the number of a content, the more of its people watch it: that is what there is to learn.
        """
        places = random.permutation(len(self.contents))[:_SLATE]
        shown = [self.contents[place] for place in places]
        records: list[tuple[RecordKind, Any]] = [
            ("impression", _impression(user, shown, request, now).to_wire())
        ]
        watchings: list[dict[str, Any]] = []
        for place, content in zip(places.tolist(), shown, strict=True):
            watched = random.random() < 0.05 + 0.9 * place / (len(self.contents) - 1)
            about = {"user_id": user, "content_id": content.content_id, "timestamp": now}
            watching = {
                "event_type": "view" if watched else "skip",
                "event_id": f"{request}-{place}",
                "request_id": request,
                "watch_duration": float(random.integers(6, 11) if watched else random.integers(1, 3)),
                **about,
            }
            records.append(("event", watching))
            watchings.append(watching)
            if random.random() < 0.3:
                records.append(("event", {"event_type": "like", "event_id": f"{request}-{place}-l", **about}))
        return records, watchings

    def clean_accounts(self, joiner: JoinerSettings) -> Accounts:
        """Return what a system in which nothing fails makes of it."""
        streams = InProcessStreams(joiner.model_copy(update={"num_partitions": NUM_PARTITIONS}))
        cutter = SpanCutter({partition: np.zeros(1, dtype=np.int64) for partition in range(NUM_PARTITIONS)})
        plan = counters_plan(NUM_PARTITIONS)
        shard = ParameterShard(0, np.arange(NUM_BUCKETS), "clean")
        shard.create_group(COUNTERS_GROUP, plan.settings, plan.dense)
        examples: dict[int, list[bytes]] = {partition: [] for partition in range(NUM_PARTITIONS)}
        batches: dict[int, list[ExampleBatch]] = {partition: [] for partition in range(NUM_PARTITIONS)}
        covered = dict.fromkeys(range(NUM_PARTITIONS), 0)
        for partition, message in self.messages():
            assert message.log_time is not None
            streams.append(partition, FeedMessage.decode(message.encode()), message.log_time)
            covered[partition] += 1
            for appended in streams.join():
                examples[partition].append(appended.batch.encode())
                batches[partition].append(appended.batch)
                cutter.add(appended)
        while (mini_batch := cutter.cut(256)) is not None:
            shard.apply_update(counter_update(1, mini_batch, mini_batch.batch()))
            cutter.done(mini_batch)
        counted = shard.deltas_since(COUNTERS_GROUP, -1, "").counters
        assert counted is not None
        return Accounts(
            examples=examples,
            num_rows={partition: sum(map(len, parts)) for partition, parts in batches.items()},
            feed_messages=covered,
            counters={
                int(key): Counters(totals, decayed)
                for key, totals, decayed in zip(counted.ids, counted.totals, counted.decayed, strict=True)
            },
            states={user: streams.states.get(user, (None, None)) for user in self.users},
        )


def _impression(user: str, shown: list[ContentFacts], request: str, now: float) -> Impression:
    size = len(shown)
    return Impression(
        request_id=request,
        user_id=user,
        timestamp=now,
        model=ModelVersion("production", "a", 1),
        arm="chaos",
        context=RequestContext(),
        contents=ContentColumns.of(shown),
        propensities=np.ones(size, dtype=np.float32),
        scores=np.zeros(size, dtype=np.float32),
        sources=["chaos"] * size,
        features=None,
    )
