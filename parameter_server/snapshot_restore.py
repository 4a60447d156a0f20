"""Beginning again from what was written, also on another set of buckets and with other dimensions."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from messages.arrays import BoolArray
from parameter_server.group_state import GroupState
from parameter_server.settings import GroupSettings
from parameter_server.shard import ParameterShard
from parameter_server.snapshot_files import SnapshotFiles, SnapshotRoot, open_files
from parameter_server.snapshot_format import (
    DamagedSnapshotError,
    Manifest,
    read_group,
    read_manifest,
    snapshot_directories,
)

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SnapshotInfo:
    """What a shard was restored from.

    directories: where the snapshots used are, newest first. created_at: when the oldest of them was taken,
    epoch seconds. groups: those restored. num_rows: taken over, counters included. num_buckets: hosted
    buckets that a snapshot had; the others begin empty.
    """

    directories: tuple[str, ...]
    created_at: float
    groups: tuple[str, ...]
    num_rows: int
    num_buckets: int


def restore_latest(
    shard: ParameterShard, root: SnapshotRoot, settings: Mapping[str, GroupSettings] | None = None
) -> SnapshotInfo | None:
    """Fill a new shard: each of its buckets from the newest sound snapshot, of any shard, that has it.

    root: where `write_snapshot` wrote, for all shards, whatever their number was then. settings: of groups
    whose slots may have come, gone, or changed dimension since; other groups are restored as they were. A
    torn or altered snapshot is refused with a logged error, and so are those that build on it, and the one
    before is used. Returns None where nothing is usable. Raises ValueError if the shard has groups already.
    """
    if shard.group_names():
        raise ValueError("restore into a new shard, before its groups are created")
    files = open_files(root)
    candidates = sound_manifests(files)
    while True:
        chosen = newest_by_bucket(candidates, shard)
        if not chosen:
            return None
        try:
            states = _read_states(files, chosen, candidates)
        except DamagedSnapshotError as error:
            _refuse(error)
            del candidates[error.directory]
            _drop_orphans(files, candidates)
        else:
            for name, parts in states.items():
                shard.load_group(name, parts, (settings or {}).get(name))
            return SnapshotInfo(
                directories=tuple(files.location(directory) for directory in chosen),
                created_at=min(candidates[directory].created_at for directory in chosen),
                groups=tuple(states),
                num_rows=sum(part.num_rows for parts in states.values() for part in parts),
                num_buckets=int(sum(wanted.sum() for wanted in chosen.values())),
            )


def sound_manifests(files: SnapshotFiles) -> dict[str, Manifest]:
    """Return the manifests that can be read and whose parents can, by folder, the newest first."""
    manifests = {}
    for directory in reversed(snapshot_directories(files)):
        try:
            manifests[directory] = read_manifest(files, directory)
        except DamagedSnapshotError as error:
            _refuse(error)
    newest_first = sorted(manifests.items(), key=lambda item: item[1].created_at, reverse=True)
    candidates = dict(newest_first)
    _drop_orphans(files, candidates)
    return candidates


def chain_of(directory: str, manifests: Mapping[str, Manifest]) -> list[str]:
    """Return the folders that a snapshot is made of, its base first."""
    chain = [directory]
    while (parent := manifests[chain[-1]].parent) is not None:
        chain.append(parent)
    return chain[::-1]


def read_snapshot(
    files: SnapshotFiles, directory: str, manifests: Mapping[str, Manifest]
) -> dict[str, GroupState]:
    """Return the groups of a snapshot, base and changes put together. Raises DamagedSnapshotError."""
    states: dict[str, GroupState] = {}
    for part in chain_of(directory, manifests):
        for name, entry in manifests[part].groups.items():
            state = read_group(files, part, entry)
            states[name] = states[name].changed_by(state) if state.since >= 0 else state
    return states


def newest_by_bucket(candidates: Mapping[str, Manifest], shard: ParameterShard) -> dict[str, BoolArray]:
    """Say which hosted buckets come from which snapshot: bool [NUM_BUCKETS] for each that is used.

    Of several that have a bucket the one listed first serves.
    """
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
    files: SnapshotFiles, chosen: Mapping[str, BoolArray], candidates: Mapping[str, Manifest]
) -> dict[str, list[GroupState]]:
    states: dict[str, list[GroupState]] = {}
    for directory, wanted in chosen.items():
        for name, state in read_snapshot(files, directory, candidates).items():
            states.setdefault(name, []).append(state.of_buckets(wanted))
    return states


def _drop_orphans(files: SnapshotFiles, candidates: dict[str, Manifest]) -> None:
    while True:
        orphans = [
            directory
            for directory, manifest in candidates.items()
            if manifest.parent is not None and manifest.parent not in candidates
        ]
        if not orphans:
            return
        for directory in orphans:
            _refuse(
                DamagedSnapshotError(directory, files.location(directory), "what it builds on is missing")
            )
            del candidates[directory]


def _refuse(error: DamagedSnapshotError) -> None:
    _logger.error("a snapshot is refused and an older one used instead: %s", error)
