"""What upkeep costs those who pull: snapshots, restores, deltas."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from messages.identifiers import NUM_BUCKETS
from messages.updates import PullRequest, RowGradients, Span, Update
from parameter_server.settings import GroupSettings, SlotSettings
from parameter_server.shard import ParameterShard
from parameter_server.snapshots import SnapshotSeries, restore_latest
from simulations.benchmarks.table_measure import TableBenchmarkSettings, ids_of, medians

_GROUP = "model"


def filled_shard(settings: TableBenchmarkSettings) -> ParameterShard:
    """Return a shard that hosts everything, with one slot of `ids_of(range(num_rows))`."""
    shard = ParameterShard(0, np.arange(NUM_BUCKETS), "benchmark")
    slot = SlotSettings(dimension=settings.dimension, optimizer="rowwise_adagrad")
    shard.create_group(_GROUP, GroupSettings(slots={"item": slot}, num_partitions=1), {})
    for start in range(0, settings.num_rows, 65_536):
        _push(shard, settings, np.arange(start, min(start + 65_536, settings.num_rows)))
    return shard


def measure_upkeep(settings: TableBenchmarkSettings) -> dict[str, Any]:
    """Return `snapshot_stall_ms`, `restore_s`, `delta_ms` and what belongs to them."""
    shard = filled_shard(settings)
    root = Path(tempfile.mkdtemp(prefix="foryou-benchmark-"))
    try:
        report = _measure_snapshot(shard, settings, root)
        restored = ParameterShard(0, shard.buckets, "restored")
        started = time.perf_counter()
        restore_latest(restored, root)
        report["restore_s"] = time.perf_counter() - started
    finally:
        shutil.rmtree(root)
    return report | _measure_delta(shard, settings)


def _measure_snapshot(shard: ParameterShard, settings: TableBenchmarkSettings, root: Path) -> dict[str, Any]:
    """Pull and push as fast as can be while everything is copied slice by slice and written beside."""
    series = SnapshotSeries(shard, root)
    random = np.random.default_rng(settings.seed)
    done = threading.Event()
    usual, stalled = [], []
    copy = series.begin()
    with ThreadPoolExecutor(1) as writer:
        started = time.perf_counter()
        writing = None
        for _ in range(settings.rounds):
            usual.append(_pull_seconds(shard, settings, random))
        while not done.is_set():
            called = time.perf_counter()
            if writing is None and copy.step():  # a pull that comes now waits for the slice
                writing = writer.submit(series.write, copy)
                writing.add_done_callback(lambda _: done.set())
            _pull_seconds(shard, settings, random)
            stalled.append(time.perf_counter() - called)
            _push(shard, settings, random.choice(settings.num_rows, 256, replace=False))
        assert writing is not None
        writing.result()
    return {
        "snapshot_stall_ms": 1e3 * max(stalled),
        "snapshot_write_s": time.perf_counter() - started,
        "snapshot_pulls": len(stalled),
        "usual_pull_max_ms": 1e3 * max(usual),
    }


def _measure_delta(shard: ParameterShard, settings: TableBenchmarkSettings) -> dict[str, Any]:
    random = np.random.default_rng(settings.seed)
    version = shard.deltas_since(_GROUP, -1, shard.incarnation).to_version
    touched = random.choice(settings.num_rows, settings.num_touched, replace=False)
    _push(shard, settings, touched)
    taken = medians(
        {"delta": lambda _: shard.deltas_since(_GROUP, version, shard.incarnation)},
        max(3, settings.rounds // 10),
    )
    delta = shard.deltas_since(_GROUP, version, shard.incarnation)
    return {"delta_ms": 1e3 * taken["delta"], "delta_rows": len(delta.rows["item"])}


def _pull_seconds(
    shard: ParameterShard, settings: TableBenchmarkSettings, random: np.random.Generator
) -> float:
    ids = ids_of(random.integers(0, settings.num_rows, settings.batch))
    started = time.perf_counter()
    shard.pull(PullRequest(_GROUP, {"item": ids}))
    return time.perf_counter() - started


def _push(shard: ParameterShard, settings: TableBenchmarkSettings, rows: Any) -> None:
    ids = ids_of(rows)
    start = int(shard.positions(_GROUP).examples[0, 0])
    slopes = np.full((len(ids), settings.dimension), 0.01, dtype=np.float32)
    update = Update(
        _GROUP,
        1,
        {0: Span(start, start + 1, start, float(start), len(ids))},
        rows={"item": RowGradients(ids, slopes, np.ones(len(ids), dtype=np.uint32))},
        stream_time=float(start),
    )
    shard.apply_update(update)
