"""What a look into a table shows: how large its rows are and how long ago they were touched."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from messages.arrays import DoubleArray
from parameter_server.embedding_table import EmbeddingTable
from parameter_server.shard import ParameterShard
from parameter_server.table_state import TableState

NORM_EDGES: tuple[float, ...] = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""Lower bounds of the bins of Euclidean norms; the last is open."""

AGE_EDGES: tuple[float, ...] = (0.0, 60.0, 600.0, 3_600.0, 21_600.0, 86_400.0, 604_800.0, 2_592_000.0)
"""Lower bounds of the bins of ages, seconds: a minute, ten, an hour, six, a day, a week, a month."""

_SLICE_ROWS = 65_536


def inspect_shard(shard: ParameterShard, group: str) -> dict[str, Any]:
    """Return, for each slot of a group, its statistics and the histograms of all its rows.

    Work in proportion to the rows: for a person who asks, not for a metric. Raises UnknownGroupError.
    """
    found = shard.group(group)
    return {
        "shard": shard.shard_id,
        "group": group,
        "stream_time": found.clock,
        "slots": {
            slot: table.statistics() | inspect_table(table, found.clock)
            for slot, table in found.tables.items()
        },
    }


def inspect_table(table: EmbeddingTable, now: int) -> dict[str, Any]:
    """Return histograms of norms and ages: how many rows fall into each bin, by its lower bound.

    now: stream time, epoch seconds. A row that is not finite counts as the largest and is told apart.
    """
    all_rows = table.rows.rows_since(-1)
    starts = range(0, len(all_rows), _SLICE_ROWS)
    parts = (table.state_of_rows(all_rows[start : start + _SLICE_ROWS]) for start in starts)
    return _inspect(parts, table.settings.dimension, now)


def inspect_state(state: TableState, dimension: int, now: int) -> dict[str, Any]:
    """Return what `inspect_table` does, of rows that were written down, and their bytes."""
    size = state.ids.nbytes + state.records.nbytes + state.times.nbytes
    return {"bytes": size} | _inspect([state], dimension, now)


def _inspect(parts: Iterable[TableState], dimension: int, now: int) -> dict[str, Any]:
    norms = np.zeros(len(NORM_EDGES), dtype=np.int64)
    ages = np.zeros(len(AGE_EDGES), dtype=np.int64)
    not_finite = 0
    for state in parts:
        values = state.records[:, :dimension].astype(np.float64)
        of_rows = np.sqrt(np.square(values).sum(axis=1))
        not_finite += int((~np.isfinite(of_rows)).sum())
        norms += _binned(of_rows, NORM_EDGES)
        ages += _binned(np.maximum(now - state.times, 0).astype(np.float64), AGE_EDGES)
    return {
        "norms": dict(zip(map(str, NORM_EDGES), norms.tolist(), strict=True)),
        "ages": dict(zip(map(str, AGE_EDGES), ages.tolist(), strict=True)),
        "rows_not_finite": not_finite,
    }


def _binned(values: DoubleArray, edges: tuple[float, ...]) -> Any:
    bins = np.searchsorted(np.asarray(edges), np.nan_to_num(values, nan=np.inf), side="right") - 1
    return np.bincount(bins, minlength=len(edges))
