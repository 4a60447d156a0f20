"""Histograms of a table's rows by their size and by how long ago they were touched."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from messages.identifiers import NUM_BUCKETS
from messages.updates import Rows, Span, Update
from parameter_server.inspection import inspect_shard
from parameter_server.settings import GroupSettings, SlotSettings
from parameter_server.shard import ParameterShard
from parameter_server.snapshot_catalogue import inspect_snapshot, list_snapshots
from parameter_server.snapshots import write_snapshot


def born(shard: ParameterShard, first: int, values: list[list[float]], now: float) -> None:
    ids = np.arange(first, first + len(values), dtype=np.uint64)
    births = {"user": Rows(ids, np.array(values, dtype=np.float32))}
    spans = {0: Span(first, first + len(values), 0, 0.0, 1)}
    shard.apply_update(Update("model", 1, spans, births=births, stream_time=now))


def test_rows_that_were_written_down_are_counted_in_the_same_way(tmp_path: Path) -> None:
    shard = ParameterShard(0, np.arange(NUM_BUCKETS), "life")
    shard.create_group(
        "model", GroupSettings(slots={"user": SlotSettings(dimension=2)}, num_partitions=1), {}
    )
    shard.group("model").ledger.positions.examples[:] = 1
    born(shard, 1, [[3.0, 4.0], [0.0, 0.0]], 1_000.0)
    born(shard, 3, [[0.0, 0.02]], 8_000.0)
    write_snapshot(shard, tmp_path)
    (listed,) = list_snapshots(tmp_path)
    table = inspect_snapshot(tmp_path, listed["snapshot"])["groups"]["model"]["tables"]["user"]
    alive = inspect_shard(shard, "model")["slots"]["user"]
    for name in ("norms", "ages", "rows_not_finite"):
        assert table[name] == alive[name]
    assert table["bytes"] == 3 * (8 + 4 * 4 + 8)


def test_rows_are_counted_by_norm_and_by_age() -> None:
    shard = ParameterShard(0, np.arange(NUM_BUCKETS), "life")
    shard.create_group(
        "model", GroupSettings(slots={"user": SlotSettings(dimension=2)}, num_partitions=1), {}
    )
    shard.group("model").ledger.positions.examples[:] = 1
    born(shard, 1, [[3.0, 4.0], [0.0, 0.0]], 1_000.0)
    born(shard, 3, [[0.0, 0.02], [300.0, 0.0]], 8_000.0)
    born(shard, 5, [[0.0, 0.0]], 8_030.0)
    report = inspect_shard(shard, "model")
    slot = report["slots"]["user"]
    assert {edge: num for edge, num in slot["norms"].items() if num} == {
        "0.0": 2,
        "0.01": 1,
        "3.0": 1,
        "100.0": 1,
    }
    assert {edge: num for edge, num in slot["ages"].items() if num} == {"0.0": 3, "3600.0": 2}
    assert (slot["rows"], slot["born"], slot["rows_not_finite"]) == (5, 5, 0)
    assert 0 < slot["load_factor"] < 1
    json.dumps(report)
