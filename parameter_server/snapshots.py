"""Writing a shard down and beginning again from what was written, also on another set of buckets."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from messages.arrays import BoolArray
from parameter_server.group_state import GroupState
from parameter_server.shard import ParameterShard
from parameter_server.snapshot_files import (
    DamagedSnapshotError,
    Manifest,
    read_group,
    read_manifest,
    shard_directory,
    snapshot_directories,
    verify_files,
    write_directory,
)

__all__ = ["DamagedSnapshotError", "SnapshotInfo", "restore_latest", "write_snapshot", "write_states"]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SnapshotInfo:
    """What a shard was restored from.

    directories: the snapshots used, newest first. created_at: when the oldest of them was taken, epoch
    seconds. groups: those restored. num_rows: taken over, counters included. num_buckets: hosted buckets that
    a snapshot had; the others begin empty.
    """

    directories: tuple[Path, ...]
    created_at: float
    groups: tuple[str, ...]
    num_rows: int
    num_buckets: int


def write_snapshot(
    shard: ParameterShard, root: Path, *, keep: int = 3, created_at: float | None = None
) -> Path:
    """Write everything a shard holds under `root`, keep its newest snapshots, and return the directory.

    created_at: epoch seconds, the wall clock's where left out.
    """
    return write_states(shard, shard.states(), root, keep=keep, created_at=created_at)


def write_states(
    shard: ParameterShard,
    states: dict[str, GroupState],
    root: Path,
    *,
    keep: int = 3,
    created_at: float | None = None,
) -> Path:
    """Write `shard.states()`, taken before; may run in another thread while the shard goes on."""
    if keep < 1:
        raise ValueError("at least the newest snapshot must be kept")
    manifest = Manifest(
        shard=shard.shard_id,
        incarnation=shard.incarnation,
        created_at=time.time() if created_at is None else created_at,
        buckets=[int(bucket) for bucket in shard.buckets],
        groups={},
    )
    return write_directory(shard_directory(root, shard.shard_id), manifest, states, keep)


def restore_latest(shard: ParameterShard, root: Path) -> SnapshotInfo | None:
    """Fill a new shard: each of its buckets from the newest sound snapshot, of any shard, that has it.

    root: where `write_snapshot` wrote, for all shards, whatever their number was then. A torn or altered
    snapshot is refused with a logged error and the one before is used. Returns None where nothing is usable.
    Raises ValueError if the shard has groups already.
    """
    if shard.group_names():
        raise ValueError("restore into a new shard, before its groups are created")
    candidates = _sound_manifests(root)
    while True:
        chosen = _newest_by_bucket(candidates, shard)
        if not chosen:
            return None
        try:
            for directory in chosen:
                verify_files(directory, candidates[directory])
            states = _read_states(chosen, candidates)
        except DamagedSnapshotError as error:
            _refuse(error)
            del candidates[error.directory]
        else:
            for name, parts in states.items():
                shard.load_group(name, parts)
            return SnapshotInfo(
                directories=tuple(chosen),
                created_at=min(candidates[directory].created_at for directory in chosen),
                groups=tuple(states),
                num_rows=sum(part.num_rows for parts in states.values() for part in parts),
                num_buckets=int(sum(wanted.sum() for wanted in chosen.values())),
            )


def _sound_manifests(root: Path) -> dict[Path, Manifest]:
    """Return the manifests that can be read, the newest first."""
    manifests = {}
    for directory in snapshot_directories(root):
        try:
            manifests[directory] = read_manifest(directory)
        except DamagedSnapshotError as error:
            _refuse(error)
    return dict(sorted(manifests.items(), key=lambda item: item[1].created_at, reverse=True))


def _newest_by_bucket(candidates: dict[Path, Manifest], shard: ParameterShard) -> dict[Path, BoolArray]:
    """Say which hosted buckets come from which snapshot: bool [NUM_BUCKETS] for each that is used."""
    missing = shard.hosted.copy()
    chosen = {}
    for directory, manifest in candidates.items():
        wanted = np.zeros_like(missing)
        wanted[manifest.buckets] = True
        wanted &= missing
        if wanted.any():
            chosen[directory] = wanted
            missing &= ~wanted
    return chosen


def _read_states(
    chosen: dict[Path, BoolArray], candidates: dict[Path, Manifest]
) -> dict[str, list[GroupState]]:
    states: dict[str, list[GroupState]] = {}
    for directory, wanted in chosen.items():
        for name, entry in candidates[directory].groups.items():
            states.setdefault(name, []).append(read_group(directory, entry).of_buckets(wanted))
    return states


def _refuse(error: DamagedSnapshotError) -> None:
    _logger.error("a snapshot is refused and an older one used instead: %s", error)
