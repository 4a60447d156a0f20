"""Puts the shards' deltas together into the one that replicas get."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from messages.arrays import FloatArray, IdArray
from messages.content import ContentColumns
from messages.impressions import ModelVersion
from messages.updates import COUNTERS_GROUP, CounterRows, ModelDelta, Position, Rows, ShardDelta

HEARTBEAT_SECONDS = 1.0
"""So often replicas are told that what they have is still all."""


def merge_shard_deltas(
    shard_deltas: Sequence[tuple[int, ShardDelta]],
    *,
    user_slots: Sequence[str],
    full: bool,
    version: ModelVersion,
    previous: int,
    contents: ContentColumns | None,
    removed_contents: IdArray,
    created_at: float,
) -> tuple[ModelDelta, dict[str, Rows]]:
    """Return the replicas' delta, and the user rows (by slot) that go to the store instead.

    A shard holds its own buckets' rows alone, so rows of different shards never clash.
    """
    rows: dict[str, list[Rows]] = defaultdict(list)
    removed: dict[str, list[IdArray]] = defaultdict(list)
    dense: dict[str, FloatArray] = {}
    counters: list[CounterRows] = []
    for _, delta in shard_deltas:
        dense.update(delta.dense)
        if delta.counters is not None and len(delta.counters):
            counters.append(delta.counters)
        for slot, part in delta.rows.items():
            if len(part):
                rows[slot].append(part)
        for slot, ids in delta.removed.items():
            if len(ids):
                removed[slot].append(ids)
    merged = {slot: _stack(parts) for slot, parts in rows.items()}
    user_rows = {slot: merged.pop(slot) for slot in user_slots if slot in merged}
    delta = ModelDelta(
        version=version,
        previous=previous,
        full=full,
        rows=merged,
        removed={slot: np.concatenate(ids) for slot, ids in removed.items() if slot not in user_slots},
        dense=dense,
        counters=_stack_counters(counters) if counters else None,
        contents=contents,
        removed_contents=removed_contents,
        positions=_lowest([delta for _, delta in shard_deltas if delta.group != COUNTERS_GROUP]),
        created_at=created_at,
    )
    return delta, user_rows


def is_worth_sending(delta: ModelDelta, previous: ModelDelta | None) -> bool:
    """Say whether there are news in it, or replicas have heard nothing for long."""
    return has_news(delta, previous) or seconds_to_heartbeat(previous, delta.created_at) <= 0


def seconds_to_heartbeat(last: ModelDelta | None, now: float) -> float:
    """Return in how many seconds a delta is worth sending without news, after the last one."""
    return 0.0 if last is None else min(last.created_at - now, 0.0) + HEARTBEAT_SECONDS


def has_news(delta: ModelDelta, previous: ModelDelta | None) -> bool:
    """Say whether anything is in it that replicas do not have; positions count, they move watermarks."""
    return bool(
        delta.rows
        or delta.removed
        or delta.dense
        or delta.counters is not None
        or delta.contents is not None
        or len(delta.removed_contents)
        or previous is None
        or dict(delta.positions) != dict(previous.positions)
    )


def _stack(parts: Sequence[Rows]) -> Rows:
    if len(parts) == 1:
        return parts[0]
    return Rows(np.concatenate([part.ids for part in parts]), np.concatenate([part.values for part in parts]))


def _stack_counters(parts: Sequence[CounterRows]) -> CounterRows:
    if len(parts) == 1:
        return parts[0]
    return CounterRows(
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.totals for part in parts]),
        np.concatenate([part.decayed for part in parts]),
        np.concatenate([part.times for part in parts]),
    )


def _lowest(deltas: Sequence[ShardDelta]) -> Mapping[int, Position]:
    """A partition is learned as far as the shard that is furthest behind."""
    lowest: dict[int, Position] = {}
    for delta in deltas:
        for partition, position in delta.positions.items():
            known = lowest.get(partition)
            if known is None or position.examples < known.examples:
                lowest[partition] = position
    return lowest
