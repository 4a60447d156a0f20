"""Compiles every kernel into numba's cache, so that the first process that serves does not pay for it.

The cache notices a change in a kernel's own file, not in that of a function it calls: after an edit of one of
them (`scramble`, `row_address`, ...), delete parameter_server/__pycache__.
"""

from __future__ import annotations

import numpy as np

from messages.arrays import IdArray
from messages.identifiers import NUM_BUCKETS
from messages.updates import COUNTERS_GROUP, CounterRows, PullRequest, RowGradients, Rows, Span, Update
from parameter_server.initializers import initial_rows
from parameter_server.settings import GroupSettings, OptimizerName, SlotSettings
from parameter_server.shard import ParameterShard

_OPTIMIZERS: tuple[OptimizerName, ...] = ("sgd", "adagrad", "rowwise_adagrad", "adam", "ftrl")


def warm_up() -> None:
    """Run a small shard through all it can do; a few seconds the first time, then almost nothing."""
    dimension = 4
    ids: IdArray = np.arange(1, 400, dtype=np.uint64)
    shard = ParameterShard(0, np.arange(NUM_BUCKETS), "warm-up")
    slots = {
        name: SlotSettings(dimension=dimension, optimizer=name, clip=1.0, max_rows=300)
        for name in _OPTIMIZERS
    }
    weights = {"weights": np.zeros((2, 2), dtype=np.float32)}
    shard.create_group("model", GroupSettings(slots=slots, num_partitions=1), weights)
    shard.create_group(COUNTERS_GROUP, GroupSettings(num_partitions=1, counters=True), {})
    shard.apply_update(Update(COUNTERS_GROUP, 0, {0: Span(0, 1, 1, 1.0, 1)}, counters=CounterRows.zeros(ids)))
    values = initial_rows(ids, dimension, 0.01, "model")
    gradients = RowGradients(ids, values, np.ones(len(ids), dtype=np.uint32))
    update = Update(
        group="model",
        epoch=0,
        spans={0: Span(0, 1, 1, 1.0, 1)},
        rows=dict.fromkeys(slots, gradients),
        births=dict.fromkeys(slots, Rows(ids[:2], values[:2])),
        dense=weights,
    )
    shard.apply_update(update)
    shard.pull(PullRequest("model", dict.fromkeys(slots, ids), dense_newer_than=-1, counter_ids=ids))
    shard.erase("model", {"sgd": ids[:2]})
    for group in shard.group_names():
        shard.deltas_since(group, 0, "warm-up")
    restored = ParameterShard(0, shard.buckets, "warm-up again")
    for group, state in shard.states().items():
        restored.load_group(group, [state])


if __name__ == "__main__":
    warm_up()
