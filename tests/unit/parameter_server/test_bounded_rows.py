"""Shards against plain dicts: what is learned, expires, is evicted, erased, restored and moved."""

from __future__ import annotations

import copy as copying
import math
import tempfile
from dataclasses import dataclass, field

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from pyarrow.fs import LocalFileSystem

from messages.identifiers import NUM_BUCKETS, buckets_of
from messages.updates import PullRequest, RowGradients, Span, Update, UpdateOutcome
from parameter_server.settings import GroupSettings, SlotSettings
from parameter_server.shard import ParameterShard
from parameter_server.snapshot_files import ArrowFiles
from parameter_server.snapshots import SnapshotSeries, restore_latest

EXPIRE_AFTER = 30
MAX_ROWS = 40
SLOT = SlotSettings(
    dimension=1,
    optimizer="sgd",
    learning_rate=1.0,
    initial_scale=0.0,
    expire_after_seconds=EXPIRE_AFTER,
    max_rows=MAX_ROWS,
)
GROUP = GroupSettings(slots={"user": SLOT}, num_partitions=1)
ALL_IDS = np.arange(1, 81, dtype=np.uint64)
BUCKETS = dict(zip(ALL_IDS.tolist(), buckets_of(ALL_IDS).tolist(), strict=True))
some_ids = st.lists(st.sampled_from(ALL_IDS.tolist()), max_size=25, unique=True).map(
    lambda ids: np.array(ids, dtype=np.uint64)
)


@dataclass
class PlainShard:
    """The reference. rows: id -> [value, time]."""

    buckets: set[int]
    rows: dict[int, list[int]] = field(default_factory=dict)
    clock: int = 0

    def learn(self, ids: list[int], now: int) -> None:
        self.clock = max(self.clock, now)
        for key in ids:
            value, _ = self.rows.get(key, [0, 0])
            self.rows[key] = [value + 1, self.clock]
        for key, (_, time) in list(self.rows.items()):
            if time < max(0, self.clock - EXPIRE_AFTER):
                del self.rows[key]
        limit = max(1, math.ceil(MAX_ROWS * len(self.buckets) / NUM_BUCKETS))
        if len(self.rows) > limit:
            oldest = sorted(self.rows, key=lambda key: (self.rows[key][1], key))
            for key in oldest[: len(self.rows) - limit + limit // 64]:
                del self.rows[key]


class ShardsBesideDicts(RuleBasedStateMachine):
    """Two shards, a reader of each one's deltas, and snapshots of bases and changes."""

    @initialize(split=st.integers(60, 200))
    def start(self, split: int) -> None:
        self.directory = tempfile.TemporaryDirectory()
        self.files = ArrowFiles(LocalFileSystem(), self.directory.name)
        self.lives = 0
        self.now = 1_000
        self.position = 0
        self.shards: list[ParameterShard] = []
        self.plain: list[PlainShard] = []
        self.series: list[SnapshotSeries] = []
        self.readers: list[tuple[int, str, dict[int, float]]] = []
        for number, buckets in enumerate((range(split), range(split, NUM_BUCKETS))):
            self.lives += 1
            shard = ParameterShard(number, np.array(buckets), f"life-{self.lives}")
            shard.create_group("model", GROUP, {})
            self.shards.append(shard)
            self.plain.append(PlainShard(set(buckets)))
            self.series.append(self.new_series(number))
            self.readers.append((-1, "", {}))
        self.save()

    def teardown(self) -> None:
        if hasattr(self, "directory"):
            self.directory.cleanup()

    def new_series(self, number: int) -> SnapshotSeries:
        return SnapshotSeries(self.shards[number], self.files, keep=2, slice_rows=5)

    def learn_on(self, number: int, ids: np.ndarray, position: int, now: int) -> None:
        mine = np.array(
            [key for key in ids.tolist() if BUCKETS[key] in self.plain[number].buckets], np.uint64
        )
        rows = {
            "user": RowGradients(mine, -np.ones((len(mine), 1), np.float32), np.ones(len(mine), np.uint32))
        }
        spans = {0: Span(position, position + 1, 0, 0.0, len(mine))}
        update = Update("model", 1, spans, rows=rows, stream_time=float(now))
        assert self.shards[number].apply_update(update).outcome is UpdateOutcome.APPLIED
        self.plain[number].learn(mine.tolist(), now)

    @rule(ids=some_ids, seconds=st.integers(0, 12))
    def learn(self, ids: np.ndarray, seconds: int) -> None:
        self.now += seconds
        for number in range(2):
            self.learn_on(number, ids, self.position, self.now)
        self.log.append((ids, self.now))
        self.position += 1

    @rule(ids=some_ids)
    def erase(self, ids: np.ndarray) -> None:
        for number in range(2):
            self.shards[number].erase("model", {"user": ids})
            for key in ids.tolist():
                self.plain[number].rows.pop(key, None)
        self.save()

    @rule(ids=some_ids)
    def learn_while_a_snapshot_is_taken(self, ids: np.ndarray) -> None:
        copy = self.series[0].begin()
        if not copy.step():
            self.learn(ids, 1)
            while not copy.step():
                pass
        self.series[0].write(copy, created_at=float(self.position))
        self.saved[0] = (copying.deepcopy(self.plain[0]), self.position)

    @rule()
    def save(self) -> None:
        self.saved = [(copying.deepcopy(plain), self.position) for plain in self.plain]
        self.saved_from = self.position
        self.log: list[tuple[np.ndarray, int]] = []
        for series in self.series:
            series.take(created_at=float(self.position))

    @rule(number=st.integers(0, 1))
    def crash_and_read_the_stream_again(self, number: int) -> None:
        self.lives += 1
        shard = ParameterShard(number, np.array(sorted(self.plain[number].buckets)), f"life-{self.lives}")
        assert restore_latest(shard, self.files) is not None
        shard.create_group("model", GROUP, {})
        self.shards[number] = shard
        plain, position = self.saved[number]
        self.plain[number] = copying.deepcopy(plain)
        self.series[number] = self.new_series(number)
        assert (shard.positions("model").examples == position).all()
        for place in range(position, self.position):
            self.learn_on(
                number, self.log[place - self.saved_from][0], place, self.log[place - self.saved_from][1]
            )

    @rule(source=st.integers(0, 1), count=st.integers(1, 40))
    def move_buckets(self, source: int, count: int) -> None:
        target = 1 - source
        moved = np.array(sorted(self.plain[source].buckets)[:count], dtype=np.int64)
        if len(moved) == len(self.plain[source].buckets):
            return
        exported = self.shards[source].export_buckets(moved)
        self.shards[target].import_buckets(exported)
        self.shards[source].drop_buckets(exported)
        for bucket in moved.tolist():
            self.plain[source].buckets.remove(bucket)
            self.plain[target].buckets.add(bucket)
        for key in [key for key in self.plain[source].rows if BUCKETS[key] in moved]:
            self.plain[target].rows[key] = self.plain[source].rows.pop(key)
        self.save()

    @rule(number=st.integers(0, 1))
    def read_deltas(self, number: int) -> None:
        version, incarnation, known = self.readers[number]
        shard, plain = self.shards[number], self.plain[number]
        delta = shard.deltas_since("model", version, incarnation)
        if delta.full:
            known.clear()
        rows = delta.rows["user"]
        known.update(zip(rows.ids.tolist(), rows.values[:, 0].tolist(), strict=True))
        for key in delta.removed.get("user", np.empty(0, np.uint64)).tolist():
            known.pop(key, None)
        self.readers[number] = (delta.to_version, shard.incarnation, known)
        here = {key: value for key, value in known.items() if BUCKETS[key] in plain.buckets}
        assert here == {key: value for key, (value, _) in plain.rows.items()}

    @invariant()
    def shards_hold_what_the_dicts_hold(self) -> None:
        if not hasattr(self, "shards"):
            return
        for shard, plain in zip(self.shards, self.plain, strict=True):
            mine = np.array([key for key in ALL_IDS.tolist() if BUCKETS[key] in plain.buckets], np.uint64)
            values = shard.pull(PullRequest("model", {"user": mine})).values["user"][:, 0]
            assert values.tolist() == [plain.rows.get(key, [0])[0] for key in mine.tolist()]
            assert shard.statistics()["groups"]["model"]["tables"]["user"]["rows"] == len(plain.rows)


TestShardsBesideDicts = ShardsBesideDicts.TestCase
TestShardsBesideDicts.settings = settings(stateful_step_count=15)


def test_a_table_never_holds_more_rows_than_its_limit() -> None:
    shard = ParameterShard(0, np.arange(NUM_BUCKETS), "life")
    slot = SlotSettings(dimension=1, max_rows=1_000)
    shard.create_group("model", GroupSettings(slots={"user": slot}, num_partitions=1), {})
    for batch in range(30):
        ids = np.arange(1 + 150 * batch, 301 + 150 * batch, dtype=np.uint64)
        rows = {"user": RowGradients(ids, np.ones((300, 1), np.float32), np.ones(300, np.uint32))}
        update = Update(
            "model", 1, {0: Span(batch, batch + 1, 0, 0.0, 1)}, rows=rows, stream_time=float(batch)
        )
        shard.apply_update(update)
        numbers = shard.statistics()["groups"]["model"]["tables"]["user"]
        assert numbers["rows"] <= 1_000
    assert numbers["admitted"] - numbers["evicted"] == numbers["rows"]
    assert shard.deltas_since("model", 29, "life").removed["user"].size > 0
