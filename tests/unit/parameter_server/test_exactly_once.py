"""Every example counts exactly once, through lost answers, crashes, restores and moves to other shards.

Each example adds exactly 1 to the row of its id and to its counters, so what is stored can be compared with
what a bucket's position says it has learned. The learner knows nothing but what shards answer.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from messages.identifiers import NUM_BUCKETS, buckets_of
from messages.updates import (
    COUNTERS_GROUP,
    CounterRows,
    PullRequest,
    RowGradients,
    Span,
    Update,
    UpdateOutcome,
    UpdateReply,
)
from parameter_server.routing import ShardRouter, assign_buckets
from parameter_server.settings import GroupSettings, SlotSettings
from parameter_server.shard import ParameterShard
from parameter_server.snapshots import restore_latest, write_snapshot

NUM_PARTITIONS = 2
MESSAGES_PER_PARTITION = 12
IDS = np.arange(1, 41, dtype=np.uint64)
BUCKETS_OF_IDS = buckets_of(IDS).tolist()
SLOT = SlotSettings(dimension=1, optimizer="sgd", learning_rate=1.0, initial_scale=0.0)
GROUPS = {
    "model": GroupSettings(slots={"user": SLOT}, num_partitions=NUM_PARTITIONS),
    COUNTERS_GROUP: GroupSettings(num_partitions=NUM_PARTITIONS, counters=True),
}


def ids_in(partition: int, sequence: int) -> np.ndarray:
    """The examples of one message: a few of the ids, one example each."""
    return IDS[(IDS * np.uint64(sequence + 7) + np.uint64(partition)) % np.uint64(3) == 0]


@cache
def ids_up_to(partition: int, start: int, end: int) -> np.ndarray:
    parts = [ids_in(partition, sequence) for sequence in range(start + 1, end + 1)]
    return np.concatenate([np.empty(0, dtype=np.uint64), *parts])


def counts_at(ends: dict[int, int]) -> np.ndarray:
    """The reference: how often each id occurred up to these positions, [len(IDS)]."""
    seen = np.concatenate([ids_up_to(partition, 0, end) for partition, end in ends.items()])
    return np.array([(seen == key).sum() for key in IDS])


def update_of(group: str, epoch: int, ranges: dict[int, tuple[int, int]]) -> Update:
    """What a learner makes of these stretches of EXAMPLES, (start, end] by partition."""
    seen = {partition: ids_up_to(partition, start, end) for partition, (start, end) in ranges.items()}
    spans = {
        partition: Span(start, end, 2 * end, float(end), len(seen[partition]))
        for partition, (start, end) in ranges.items()
    }
    ids, counts = np.unique(np.concatenate(list(seen.values())), return_counts=True)
    if group == COUNTERS_GROUP:
        counters = CounterRows.zeros(ids)
        counters.totals[:] = counts[:, None]
        return Update(group, epoch, spans, counters=counters)
    slopes = -counts[:, None].astype(np.float32)
    return Update(group, epoch, spans, rows={"user": RowGradients(ids, slopes, counts.astype(np.uint32))})


def shard_of(router: ShardRouter, bucket: int) -> int:
    return next(shard for shard in router.shards if bucket in router.buckets_of_shard(shard))


class ClusterUnderFire(RuleBasedStateMachine):
    """Shards that die, answers that are lost, and a learner that goes by positions alone."""

    @initialize(num_shards=st.integers(1, 3))
    def start(self, num_shards: int) -> None:
        self.directory = tempfile.TemporaryDirectory()
        self.root = Path(self.directory.name)
        self.lives = 0
        self.epoch = 1
        self.resize(num_shards)

    def teardown(self) -> None:
        if hasattr(self, "directory"):
            for group in GROUPS:
                self.learn_to_the_end(group)
            self.directory.cleanup()

    def new_shard(self, shard_id: int) -> ParameterShard:
        self.lives += 1
        shard = ParameterShard(shard_id, self.router.buckets_of_shard(shard_id), f"life-{self.lives}")
        restore_latest(shard, self.root)
        for name, of_group in GROUPS.items():
            shard.create_group(name, of_group, {})
        return shard

    def resize(self, num_shards: int) -> None:
        self.router = ShardRouter(assign_buckets(num_shards))
        self.shards = {shard: self.new_shard(shard) for shard in self.router.shards}

    def standing(self, group: str, partition: int) -> list[int]:
        """The positions at which any bucket stands, each once, rising."""
        standing = [shard.positions(group).examples[:, partition] for shard in self.shards.values()]
        return [int(position) for position in np.unique(np.concatenate(standing))]

    def next_range(self, group: str, partition: int, length: int) -> tuple[int, int]:
        """From the lowest position, not past the next one at which a bucket stands."""
        lowest, *others = self.standing(group, partition)
        return lowest, min([lowest + length, MESSAGES_PER_PARTITION, *others[:1]])

    def push(self, update: Update, reached: set[int]) -> dict[int, UpdateReply]:
        parts = self.router.split_update(update)
        return {shard: self.shards[shard].apply_update(parts[shard]) for shard in reached & parts.keys()}

    @rule(
        group=st.sampled_from(sorted(GROUPS)),
        lengths=st.tuples(st.integers(0, 4), st.integers(0, 4)),
        reached=st.sets(st.integers(0, 2)),
        times=st.integers(1, 2),
    )
    def learn(self, group: str, lengths: tuple[int, ...], reached: set[int], times: int) -> None:
        """Push to some shards only, perhaps twice, whatever they stand at."""
        ranges = {
            partition: self.next_range(group, partition, length)
            for partition, length in enumerate(lengths)
            if length
        }
        ranges = {partition: (start, end) for partition, (start, end) in ranges.items() if end > start}
        if ranges:
            for _ in range(times):
                self.push(update_of(group, self.epoch, ranges), reached)

    @rule(
        group=st.sampled_from(sorted(GROUPS)),
        start=st.integers(0, MESSAGES_PER_PARTITION - 1),
        length=st.integers(1, 5),
    )
    def push_anything(self, group: str, start: int, length: int) -> None:
        """A learner with an old idea of where shards stand does no harm."""
        end = min(start + length, MESSAGES_PER_PARTITION)
        self.push(update_of(group, self.epoch, {0: (start, end)}), set(self.shards))

    @rule()
    def push_as_an_earlier_owner(self) -> None:
        ranges = {0: self.next_range("model", 0, 1)}
        if ranges[0][1] > ranges[0][0]:
            self.push(update_of("model", self.epoch + 1, ranges), set(self.shards))
            replies = self.push(update_of("model", self.epoch, ranges), set(self.shards))
            assert {reply.outcome for reply in replies.values()} == {UpdateOutcome.STALE_EPOCH}
            self.epoch += 1

    @rule(shard=st.integers(0, 2))
    def take_a_snapshot(self, shard: int) -> None:
        if shard in self.shards:
            write_snapshot(self.shards[shard], self.root, keep=2, created_at=float(self.lives))

    @rule(shard=st.integers(0, 2))
    def crash(self, shard: int) -> None:
        if shard in self.shards:
            self.shards[shard] = self.new_shard(shard)

    @rule(num_shards=st.integers(1, 3))
    def move_to_another_number_of_shards(self, num_shards: int) -> None:
        self.resize(num_shards)

    @rule(home=st.integers(0, 2), count=st.integers(1, 60), group=st.sampled_from(sorted(GROUPS)))
    def move_buckets_while_a_learner_goes_by_the_old_map(self, home: int, count: int, group: str) -> None:
        """Whatever it pushes between the steps of a move, no bucket misses rows that its position covers."""
        old, source = self.router, self.router.shards[0]
        if home == source or home not in self.shards:
            return
        moving = old.buckets_of_shard(source)[:count]
        homes = np.array([shard_of(old, bucket) for bucket in range(NUM_BUCKETS)])
        homes[moving] = home

        def push_by_the_old_map() -> None:
            start, end = self.next_range(group, 1, 2)
            if end > start:
                parts = old.split_update(update_of(group, self.epoch, {1: (start, end)}))
                for shard, part in parts.items():
                    self.shards[shard].apply_update(part)

        exported = self.shards[source].export_buckets(moving)
        push_by_the_old_map()  # the source goes on from where it was copied
        self.shards[home].import_buckets(exported)
        push_by_the_old_map()
        self.router = ShardRouter(homes)
        push_by_the_old_map()
        self.shards[source].forget_buckets(moving)
        push_by_the_old_map()

    @invariant()
    def every_bucket_holds_just_what_its_position_says(self) -> None:
        if not hasattr(self, "shards"):
            return
        for shard in self.shards.values():
            for group in GROUPS:
                positions = shard.positions(group)
                for standing in np.unique(positions.examples, axis=0):
                    here = (positions.examples == standing).all(axis=1)
                    self.check_rows(shard, group, positions.buckets[here], dict(enumerate(standing.tolist())))
                    applied = [len(ids_up_to(partition, 0, end)) for partition, end in enumerate(standing)]
                    assert (positions.applied[here] == applied).all()

    def check_rows(
        self, shard: ParameterShard, group: str, buckets: np.ndarray, standing: dict[int, int]
    ) -> None:
        mine = [place for place, bucket in enumerate(BUCKETS_OF_IDS) if bucket in buckets]
        expected = counts_at(standing)[mine]
        if group == COUNTERS_GROUP:
            counters = shard.pull(PullRequest("model", {}, counter_ids=IDS[mine])).counters
            assert counters is not None
            assert counters.totals[:, 0].tolist() == expected.tolist()
        else:
            values = shard.pull(PullRequest("model", {"user": IDS[mine]})).values["user"]
            assert values[:, 0].tolist() == expected.tolist()

    def learn_to_the_end(self, group: str) -> None:
        """A learner that cuts at positions and takes differing partitions one at a time always gets there."""
        for partition in range(NUM_PARTITIONS):
            for _ in range(4 * MESSAGES_PER_PARTITION):
                start, end = self.next_range(group, partition, 3)
                if start == MESSAGES_PER_PARTITION:
                    break
                replies = self.push(update_of(group, self.epoch, {partition: (start, end)}), set(self.shards))
                assert {reply.outcome for reply in replies.values()} <= {
                    UpdateOutcome.APPLIED,
                    UpdateOutcome.DUPLICATE,
                }
            assert self.standing(group, partition) == [MESSAGES_PER_PARTITION]
        self.every_bucket_holds_just_what_its_position_says()


TestClusterUnderFire = ClusterUnderFire.TestCase
TestClusterUnderFire.settings = settings(stateful_step_count=15)
