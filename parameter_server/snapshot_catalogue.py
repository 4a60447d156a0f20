"""Which snapshots there are and what is in them, for people."""

from __future__ import annotations

from typing import Any

from parameter_server.inspection import inspect_state
from parameter_server.snapshot_files import SnapshotRoot, open_files
from parameter_server.snapshot_format import DamagedSnapshotError, read_manifest, snapshot_directories
from parameter_server.snapshot_pins import pins_of
from parameter_server.snapshot_restore import chain_of, read_snapshot, sound_manifests


def list_snapshots(root: SnapshotRoot) -> list[dict[str, Any]]:
    """Return one flat dict for each snapshot under `root`, the oldest of each shard first.

    A snapshot that cannot be used has a `problem`.
    """
    files = open_files(root)
    listed = []
    for directory in snapshot_directories(files):
        entry: dict[str, Any] = {"snapshot": directory}
        try:
            manifest = read_manifest(files, directory)
        except DamagedSnapshotError as error:
            listed.append(entry | {"problem": error.reason})
            continue
        listed.append(
            entry
            | {
                "shard": manifest.shard,
                "created_at": manifest.created_at,
                "kind": "base" if manifest.parent is None else "changes",
                "builds_on": manifest.parent,
                "pinned": pins_of(files, directory),
                "buckets": len(manifest.buckets),
                "groups": sorted(manifest.groups),
                "rows": sum(group.num_rows for group in manifest.groups.values()),
                "bytes": sum(group.num_bytes for group in manifest.groups.values()),
            }
        )
    return listed


def inspect_snapshot(root: SnapshotRoot, directory: str) -> dict[str, Any]:
    """Read a snapshot whole, checking every byte, and say what it holds, also how large and old rows are.

    directory: as `list_snapshots` names it. Raises DamagedSnapshotError where it, or what it builds on, is
    not what was written.
    """
    files = open_files(root)
    manifest = read_manifest(files, directory)
    manifests = sound_manifests(files)
    if directory not in manifests:
        raise DamagedSnapshotError(directory, files.location(directory), "what it builds on is missing")
    groups = {}
    for name, state in read_snapshot(files, directory, manifests).items():
        positions = state.positions.lowest()
        groups[name] = {
            "version": state.version,
            "stream_time": state.clock,
            "rows": {slot: len(table.ids) for slot, table in state.slots.items()},
            "dimensions": {slot: settings.dimension for slot, settings in state.settings.slots.items()},
            "candidates": {slot: len(table.candidates.ids) for slot, table in state.slots.items()},
            "tables": {
                slot: inspect_state(table, state.settings.slots[slot].dimension, state.clock)
                for slot, table in state.slots.items()
            },
            "dense": {weights: list(dense.values.shape) for weights, dense in state.dense.items()},
            "counters": None if state.counters is None else len(state.counters),
            "positions": {partition: position.examples for partition, position in positions.items()},
        }
    return {
        "snapshot": directory,
        "shard": manifest.shard,
        "incarnation": manifest.incarnation,
        "created_at": manifest.created_at,
        "buckets": len(manifest.buckets),
        "made_of": chain_of(directory, manifests),
        "groups": groups,
    }
