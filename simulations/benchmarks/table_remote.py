"""A pull from two shard actors against calls that only return arrays of that size."""

from __future__ import annotations

from typing import Any

import numpy as np
import ray

from messages.updates import PullReply, PullRequest, RowGradients, Span, Update
from parameter_server.routing import ShardRouter, assign_buckets
from parameter_server.settings import GroupSettings, SlotSettings
from parameter_server.shard import ParameterShard
from simulations.benchmarks.table_measure import TableBenchmarkSettings, ids_of, medians

_GROUP = "model"
_NUM_SHARDS = 2


class Echo:
    """Answers at once with arrays as large as those asked for."""

    def __init__(self, dimension: int) -> None:
        self._dimension = dimension

    def pull(self, request: PullRequest) -> PullReply:
        values = {
            slot: np.ones((len(ids), self._dimension), dtype=np.float32) for slot, ids in request.ids.items()
        }
        return PullReply(values, {}, None, 0)


def measure_remote(settings: TableBenchmarkSettings) -> dict[str, Any]:
    """Return `ray_pull_vs_echo` and its two medians; starts Ray where it does not run, and stops it then."""
    started_here = not ray.is_initialized()
    if started_here:
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    try:
        return _measure(settings)
    finally:
        if started_here:
            ray.shutdown()


def _measure(settings: TableBenchmarkSettings) -> dict[str, Any]:
    router = ShardRouter(assign_buckets(_NUM_SHARDS))
    actor = ray.remote(num_cpus=0)
    shards = {
        shard: actor(ParameterShard).remote(shard, router.buckets_of_shard(shard), "benchmark")
        for shard in router.shards
    }
    echoes = {shard: actor(Echo).remote(settings.dimension) for shard in router.shards}
    slot = SlotSettings(dimension=settings.dimension, optimizer="rowwise_adagrad")
    group = GroupSettings(slots={"item": slot}, num_partitions=1)
    ray.get([shard.create_group.remote(_GROUP, group, {}) for shard in shards.values()])
    num_rows = min(settings.num_rows, 200_000)
    for start in range(0, num_rows, 20_000):
        ids = ids_of(np.arange(start, min(start + 20_000, num_rows)))
        gradients = RowGradients(
            ids, np.ones((len(ids), settings.dimension), np.float32), np.ones(len(ids), np.uint32)
        )
        update = Update(_GROUP, 1, {0: Span(start, start + 1, 0, 0.0, 1)}, rows={"item": gradients})
        if start:
            update = Update(_GROUP, 1, {0: Span(start - 19_999, start + 1, 0, 0.0, 1)}, rows=update.rows)
        parts = router.split_update(update)
        ray.get([shards[shard].apply_update.remote(part) for shard, part in parts.items()])
    random = np.random.default_rng(settings.seed)
    ids = ids_of(random.choice(num_rows, min(settings.batch, num_rows), replace=False))
    request = PullRequest(_GROUP, {"item": ids})

    def pull_from(actors: dict[int, Any]) -> None:
        parts = router.split_pull(request)
        replies = ray.get([actors[shard].pull.remote(part) for shard, part in parts.items()])
        router.merge_pull(request, dict(zip(parts, replies, strict=True)))

    calls = {"pull": lambda _: pull_from(shards), "echo": lambda _: pull_from(echoes)}
    medians(calls, 10)  # the first calls open connections
    taken = medians(calls, settings.rounds)
    return {
        "ray_pull_vs_echo": taken["pull"] / taken["echo"],
        "ray_pull_ms": 1e3 * taken["pull"],
        "ray_echo_ms": 1e3 * taken["echo"],
    }
