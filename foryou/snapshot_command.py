"""`foryou snapshot list|inspect|restore`: what is kept of the shards, checked, and chosen to begin from.

These three read and write files alone; `create` (`snapshot_create_command.py`) asks the running shards.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from messages.identifiers import NUM_BUCKETS
from parameter_server.shard import ParameterShard
from parameter_server.snapshot_catalogue import inspect_snapshot, list_snapshots
from parameter_server.snapshot_files import SnapshotRootError
from parameter_server.snapshots import DamagedSnapshotError, restore_latest, write_snapshot

__all__ = [
    "SnapshotError",
    "SnapshotRootError",
    "run_snapshot_inspect",
    "run_snapshot_list",
    "run_snapshot_restore",
]


class SnapshotError(ValueError):
    """There is no such snapshot, or it is not what was written."""


def run_snapshot_list(root: Path | str) -> dict[str, Any]:
    """Return every snapshot under `root`, a folder or a URI, with its shard, time, rows and bytes."""
    listed = list_snapshots(root)
    return {
        "root": str(root),
        "num_snapshots": len(listed),
        "num_damaged": sum("problem" in entry for entry in listed),
        "snapshots": listed,
    }


def run_snapshot_inspect(root: Path | str, snapshot: str) -> dict[str, Any]:
    """Read a snapshot whole, check every byte, and say what it holds. Raises SnapshotError."""
    try:
        return inspect_snapshot(root, snapshot)
    except DamagedSnapshotError as error:
        raise SnapshotError(str(error)) from error


def run_snapshot_restore(source: Path | str, target: Path | str) -> dict[str, Any]:
    """Put together the newest sound state of all buckets under `source` and write it as one base to `target`.

    A system whose snapshot folder is `target` then begins from it, whatever its number of shards. Raises
    SnapshotError if nothing can be used, or if `target` has snapshots already.
    """
    if list_snapshots(target):
        raise SnapshotError(f"{target} has snapshots already; restore into an empty folder")
    shard = ParameterShard(0, np.arange(NUM_BUCKETS), "restore")
    info = restore_latest(shard, source)
    if info is None:
        raise SnapshotError(f"no snapshot under {source} can be used")
    return {
        "source": str(source),
        "snapshot": write_snapshot(shard, target),
        "made_of": list(info.directories),
        "created_at": info.created_at,
        "groups": list(info.groups),
        "rows": info.num_rows,
        "buckets": info.num_buckets,
    }
