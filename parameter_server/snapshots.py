"""Writing a shard down: a base now and then, what changed since in between, the last few kept."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass

from parameter_server.group_state import GroupState
from parameter_server.shard import ParameterShard
from parameter_server.shard_copy import ShardCopy
from parameter_server.snapshot_files import SnapshotFiles, SnapshotRoot, open_files
from parameter_server.snapshot_format import (
    MANIFEST,
    DamagedSnapshotError,
    Manifest,
    read_manifest,
    shard_directory,
    snapshot_directories,
    write_group,
    write_manifest,
)
from parameter_server.snapshot_pins import pin, pinned_in, pins_of, unpin
from parameter_server.snapshot_restore import SnapshotInfo, restore_latest, sound_manifests

__all__ = [
    "DamagedSnapshotError",
    "SnapshotInfo",
    "SnapshotSeries",
    "restore_latest",
    "write_snapshot",
    "write_states",
]


@dataclass(frozen=True, slots=True)
class _Written:
    """What the next snapshot may build on. rows: of the base, and of all changes since it."""

    directory: str
    versions: dict[str, int]
    moves: int
    num_changes: int
    rows: int
    changed_rows: int


class SnapshotSeries:
    """The snapshots of one shard in its present life: bases, and changes that build on them.

    `begin` and the steps of the copy belong to the shard's thread; `write` to any other, one at a time.
    """

    def __init__(
        self,
        shard: ParameterShard,
        root: SnapshotRoot,
        *,
        keep: int = 3,
        most_changes: int = 8,
        slice_rows: int = 16_384,
    ) -> None:
        """keep: how many snapshots can be restored. most_changes: snapshots in a row that are no base."""
        if keep < 1:
            raise ValueError("at least the newest snapshot must be kept")
        self._shard = shard
        self._files = open_files(root)
        self._keep = keep
        self._most_changes = most_changes
        self._slice_rows = slice_rows
        self._last: _Written | None = None

    def begin(self) -> ShardCopy:
        """Start to copy what the next snapshot needs."""
        since = self._last.versions if self._last is not None and self._may_build(self._last) else None
        return ShardCopy(self._shard, since, self._slice_rows)

    def write(self, copy: ShardCopy, *, created_at: float | None = None, pins: Iterable[str] = ()) -> str:
        """Write a finished copy and return where. created_at: epoch seconds, the wall clock's if left out.

        pins: names under which it stays until `unpin`, beyond the number that is kept.
        """
        states = copy.states()
        last = self._last
        parent = last if last is not None and any(state.since >= 0 for state in states.values()) else None
        rows = sum(state.num_rows for state in states.values())
        directory = _write(
            self._shard,
            self._files,
            states,
            self._keep,
            created_at,
            None if parent is None else parent.directory,
            pins,
        )
        self._last = _Written(
            directory=directory,
            versions=copy.versions(),
            moves=copy.moves,
            num_changes=parent.num_changes + 1 if parent else 0,
            rows=parent.rows if parent else rows,
            changed_rows=parent.changed_rows + rows if parent else 0,
        )
        return self._files.location(directory)

    def pinned(self) -> dict[str, str]:
        """Return this shard's pins, each with the snapshot that it holds."""
        return pinned_in(
            self._files, snapshot_directories(self._files, shard_directory(self._shard.shard_id))
        )

    def unpin(self, directory: str, name: str) -> None:
        unpin(self._files, directory, name)

    def take(self, *, created_at: float | None = None, pins: Iterable[str] = ()) -> str:
        """Copy and write at once, and return where."""
        copy = self.begin()
        while not copy.step():
            pass
        return self.write(copy, created_at=created_at, pins=pins)

    def _may_build(self, last: _Written) -> bool:
        return (
            last.num_changes < self._most_changes
            and 2 * last.changed_rows <= last.rows
            and last.moves == self._shard.moves
            and list(last.versions) == self._shard.group_names()
        )


def write_snapshot(
    shard: ParameterShard, root: SnapshotRoot, *, keep: int = 3, created_at: float | None = None
) -> str:
    """Write everything a shard holds under `root`, keep its newest snapshots, and return where it is.

    root: a folder, or the URI of one on any file system that pyarrow knows. created_at: epoch seconds, the
    wall clock's where left out.
    """
    return write_states(shard, shard.states(), root, keep=keep, created_at=created_at)


def write_states(
    shard: ParameterShard,
    states: dict[str, GroupState],
    root: SnapshotRoot,
    *,
    keep: int = 3,
    created_at: float | None = None,
) -> str:
    """Write `shard.states()`, taken before; may run in another thread while the shard goes on."""
    if keep < 1:
        raise ValueError("at least the newest snapshot must be kept")
    files = open_files(root)
    return files.location(_write(shard, files, states, keep, created_at, None))


def _write(
    shard: ParameterShard,
    files: SnapshotFiles,
    states: dict[str, GroupState],
    keep: int,
    created_at: float | None,
    parent: str | None,
    pins: Iterable[str] = (),
) -> str:
    folder = shard_directory(shard.shard_id)
    before = snapshot_directories(files, folder)
    number = int(before[-1].rpartition("/")[2]) + 1 if before else 1
    directory = f"{folder}/{number:012d}"
    try:
        manifest = Manifest(
            shard=shard.shard_id,
            incarnation=shard.incarnation,
            created_at=time.time() if created_at is None else created_at,
            buckets=_buckets_of(shard, states),
            parent=parent,
            groups={
                name: write_group(files, directory, f"group-{place}.npz", state)
                for place, (name, state) in enumerate(states.items())
            },
        )
        for name in pins:
            pin(files, directory, name)
        write_manifest(files, directory, manifest)
    except OSError:
        with contextlib.suppress(OSError):
            files.remove(directory)  # on a full disk what is half written keeps the next from being whole
        raise
    _drop_old(files, before, directory, keep)
    return directory


def _buckets_of(shard: ParameterShard, states: dict[str, GroupState]) -> list[int]:
    """Return the buckets that were hosted when the states were copied; by now some may have moved."""
    hosted = next(iter(states.values())).positions.buckets if states else shard.buckets
    return [int(bucket) for bucket in hosted]


def _drop_old(files: SnapshotFiles, before: list[str], newest: str, keep: int) -> None:
    """Remove snapshots beyond the last `keep` that none of those builds on, and what crashes left behind.

    What is pinned stays. One with buckets that have moved away stays until a newer snapshot, of whatever
    shard, has them.
    """
    manifests = {newest: read_manifest(files, newest)}
    for directory in before:
        try:
            manifests[directory] = read_manifest(files, directory)
        except DamagedSnapshotError:
            continue  # an older one is only kept while it can be used
    in_order = sorted(manifests)
    kept = in_order[-keep:] + [name for name in in_order[:-keep] if pins_of(files, name)]
    kept += _only_homes(files, [name for name in manifests if name not in kept], manifests, kept)
    wanted: set[str] = set()
    for directory in kept:
        needed: str | None = directory
        while needed is not None and needed not in wanted:
            wanted.add(needed)
            needed = manifests[needed].parent if needed in manifests else None
    for directory in before:
        if directory not in wanted:
            if directory in manifests:
                files.remove(f"{directory}/{MANIFEST}")  # first, so that none is seen half deleted
            files.remove(directory)


def _only_homes(
    files: SnapshotFiles, old: list[str], manifests: dict[str, Manifest], kept: list[str]
) -> list[str]:
    """Return the newest of the old snapshots that have buckets which no newer snapshot has."""
    homeless = {bucket for directory in old for bucket in manifests[directory].buckets}
    homeless -= {bucket for directory in kept for bucket in manifests[directory].buckets}
    needed = []
    if homeless:
        others = sound_manifests(files)
        for directory in sorted(old, reverse=True):
            created_at = manifests[directory].created_at
            newer = {
                bucket
                for other, manifest in others.items()
                if other not in old and manifest.created_at > created_at
                for bucket in manifest.buckets
            }
            if homeless & set(manifests[directory].buckets) - newer:
                needed.append(directory)
                homeless -= set(manifests[directory].buckets)
    return needed
