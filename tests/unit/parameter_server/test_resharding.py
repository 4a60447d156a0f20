"""From two shards to three and back in the middle of a stream: the same as if nothing had moved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from messages.identifiers import NUM_BUCKETS
from messages.updates import (
    COUNTERS_GROUP,
    CounterRows,
    PullRequest,
    RowGradients,
    Span,
    Update,
    UpdateOutcome,
)
from parameter_server.routing import ShardRouter, assign_buckets
from parameter_server.settings import AdmissionSettings, GroupSettings, SlotSettings
from parameter_server.shard import ParameterShard
from parameter_server.snapshot_catalogue import list_snapshots
from parameter_server.snapshots import restore_latest, write_snapshot

SLOT = SlotSettings(dimension=2, optimizer="adam", admission=AdmissionSettings(min_count=2))
GROUPS = {
    "model": GroupSettings(slots={"user": SLOT}, num_partitions=2),
    COUNTERS_GROUP: GroupSettings(num_partitions=2, counters=True),
}
WEIGHTS = {name: np.zeros(3, dtype=np.float32) for name in ("first", "second", "third", "fourth")}
IDS = np.arange(1, 301, dtype=np.uint64)


class Cluster:
    def __init__(self, num_shards: int) -> None:
        self.shards: dict[int, ParameterShard] = {}
        self.router = ShardRouter(assign_buckets(num_shards))
        for shard in self.router.shards:
            self.open(shard, self.router.buckets_of_shard(shard))

    def open(self, shard: int, buckets: np.ndarray) -> None:
        self.shards[shard] = ParameterShard(shard, buckets, f"life-{shard}")
        for name, settings in GROUPS.items():
            self.shards[shard].create_group(name, settings, WEIGHTS if name == "model" else {})

    def scale(self, num_shards: int) -> int:
        """Move what must move, and return how many buckets that was."""
        before, after = self.router, ShardRouter(assign_buckets(num_shards))
        for shard in set(after.shards) - set(before.shards):
            self.open(shard, np.empty(0, dtype=np.int64))
        num_moved = 0
        for source in before.shards:
            for target in after.shards:
                moving = np.intersect1d(before.buckets_of_shard(source), after.buckets_of_shard(target))
                if source != target and len(moving):
                    exported = self.shards[source].export_buckets(moving)
                    self.shards[target].import_buckets(exported)
                    self.shards[source].drop_buckets(exported)
                    num_moved += len(moving)
        self.router = after
        self.shards = {shard: self.shards[shard] for shard in after.shards}
        return num_moved

    def learn(self, step: int) -> None:
        spans = {step % 2: Span(step // 2, step // 2 + 1, step, float(step), 5)}
        random = np.random.default_rng(step)
        ids = np.sort(random.choice(IDS, 120, replace=False))
        slopes = random.standard_normal((120, 2)).astype(np.float32)
        counters = CounterRows.zeros(ids)
        counters.totals[:] = step + 1
        counters.decayed[:] = 0.5
        counters.times[:] = 1e9 + 60 * step
        rows = {"user": RowGradients(ids, slopes, np.ones(120, dtype=np.uint32))}
        updates = [
            Update("model", 1, spans, rows=rows, dense=WEIGHTS | {"first": slopes[0, :1].repeat(3)}),
            Update(COUNTERS_GROUP, 1, spans, counters=counters),
        ]
        for update in updates:
            for shard, part in self.router.split_update(update).items():
                assert self.shards[shard].apply_update(part).outcome is UpdateOutcome.APPLIED

    def everything(self) -> dict[str, object]:
        request = PullRequest("model", {"user": IDS}, dense_newer_than=-1, counter_ids=IDS)
        replies = {
            shard: self.shards[shard].pull(part) for shard, part in self.router.split_pull(request).items()
        }
        merged = self.router.merge_pull(request, replies)
        assert merged.counters is not None
        return {
            "values": merged.values["user"].tolist(),
            "dense": {name: weights.tolist() for name, weights in sorted(merged.dense.items())},
            "totals": merged.counters.totals.tolist(),
            "decayed": merged.counters.decayed.tolist(),
            "positions": {
                (group, bucket): position
                for shard in self.shards.values()
                for group in GROUPS
                for bucket, position in zip(
                    shard.positions(group).buckets.tolist(),
                    shard.positions(group).examples.tolist(),
                    strict=True,
                )
            },
        }


def test_shards_come_and_go_in_the_middle_of_a_stream() -> None:
    moved, still = Cluster(2), Cluster(2)
    for step in range(12):
        if step in (4, 8):
            num_moved = moved.scale(3 if step == 4 else 2)
            assert num_moved == (assign_buckets(3) == 2).sum()
        moved.learn(step)
        still.learn(step)
    assert moved.everything() == still.everything()
    assert len(moved.everything()["positions"]) == 2 * NUM_BUCKETS


def test_readers_of_deltas_begin_again_where_buckets_came() -> None:
    cluster = Cluster(2)
    cluster.learn(0)
    cluster.learn(1)
    versions = {shard: host.group("model").version for shard, host in cluster.shards.items()}
    exported = cluster.shards[0].export_buckets(cluster.shards[0].buckets[:20])
    cluster.shards[1].import_buckets(exported)
    cluster.shards[0].drop_buckets(exported)
    deltas = {
        shard: host.deltas_since("model", versions[shard], host.incarnation)
        for shard, host in cluster.shards.items()
    }
    assert deltas[1].full
    assert not deltas[0].full
    assert not any(len(ids) for ids in deltas[0].removed.values())  # they live on elsewhere


def test_buckets_that_have_gone_on_since_they_were_exported_stay() -> None:
    cluster = Cluster(2)
    exported = cluster.shards[0].export_buckets(cluster.shards[0].buckets[:3])
    cluster.learn(0)
    expected = cluster.everything()
    with pytest.raises(ValueError, match="gone on since"):
        cluster.shards[0].drop_buckets(exported)
    assert cluster.everything() == expected


def test_snapshots_of_a_bucket_that_left_stay_until_its_new_home_has_written_it(tmp_path: Path) -> None:
    cluster = Cluster(2)
    cluster.learn(0)
    cluster.learn(1)
    for host in cluster.shards.values():
        write_snapshot(host, tmp_path, keep=1, created_at=1.0)
    cluster.scale(3)
    for time in (2.0, 3.0, 4.0):
        for shard in (0, 1):
            write_snapshot(cluster.shards[shard], tmp_path, keep=1, created_at=time)
    everything = ParameterShard(0, np.arange(NUM_BUCKETS), "restored")
    restored = restore_latest(everything, tmp_path)
    assert restored is not None
    assert restored.num_buckets == NUM_BUCKETS
    assert len(list_snapshots(tmp_path)) == 4
    write_snapshot(cluster.shards[2], tmp_path, keep=1, created_at=5.0)
    for shard in (0, 1):
        write_snapshot(cluster.shards[shard], tmp_path, keep=1, created_at=6.0)
    assert len(list_snapshots(tmp_path)) == 3


def test_a_bucket_has_one_home() -> None:
    cluster = Cluster(2)
    buckets = cluster.shards[0].buckets[:3]
    exported = cluster.shards[0].export_buckets(buckets)
    with pytest.raises(ValueError, match="hosted by shard 0"):
        cluster.shards[0].import_buckets(exported)
    with pytest.raises(ValueError, match="hosted by shard 1"):
        cluster.shards[1].export_buckets(buckets)
