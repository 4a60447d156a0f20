"""One snapshot on disk: a directory that is there whole or not at all, with a checksum for every byte in it.

    root/shard-0003/000000000012/manifest.json    what is there, its settings and its sha256
    root/shard-0003/000000000012/group-0.npz      rows, optimizer state, counters and positions of one group

Nothing is pickled. The manifest carries its own checksum.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from messages.arrays import AnyArray
from messages.updates import CounterRows
from parameter_server.dense_parameters import DenseState
from parameter_server.embedding_table import TableState
from parameter_server.group_state import GroupState
from parameter_server.positions import BucketPositions
from parameter_server.settings import GroupSettings

MANIFEST = "manifest.json"
_UNFINISHED = ".unfinished-"


class DamagedSnapshotError(ValueError):
    """A snapshot is incomplete or is not what was written; the text says where."""

    def __init__(self, directory: Path, reason: str) -> None:
        super().__init__(directory, reason)
        self.directory = directory
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.directory}: {self.reason}"


class GroupEntry(BaseModel):
    """One group's file. slots, dense: their names, in the order of the numbered arrays in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str
    sha256: str
    settings: GroupSettings
    version: int
    slots: list[str]
    dense: list[str]
    num_rows: int


class Manifest(BaseModel):
    """What a snapshot directory holds. created_at: epoch seconds. buckets: all that the shard hosted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    shard: int
    incarnation: str
    created_at: float
    buckets: list[int]
    groups: dict[str, GroupEntry]
    checksum: str = ""

    def own_checksum(self) -> str:
        return hashlib.sha256(self.model_dump_json(exclude={"checksum"}).encode()).hexdigest()


def shard_directory(root: Path, shard_id: int) -> Path:
    return root / f"shard-{shard_id:04d}"


def snapshot_directories(root: Path) -> list[Path]:
    """Return the finished snapshots of all shards under `root`, the newest of each shard first."""
    return sorted(root.glob("shard-*/[0-9]*"), key=lambda path: (path.parent.name, path.name), reverse=True)


def write_directory(directory: Path, manifest: Manifest, states: dict[str, GroupState], keep: int) -> Path:
    """Write the next snapshot of one shard under `directory` and drop all but the newest `keep`.

    It appears under its name in one rename, after everything in it has reached the disk.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for leftover in directory.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(leftover)
    finished = sorted(directory.glob("[0-9]*"))
    number = int(finished[-1].name) + 1 if finished else 1
    unfinished = directory / f"{_UNFINISHED}{number}"
    unfinished.mkdir()
    groups = {
        name: _write_group(unfinished, f"group-{place}.npz", state)
        for place, (name, state) in enumerate(states.items())
    }
    manifest = manifest.model_copy(update={"groups": groups})
    manifest = manifest.model_copy(update={"checksum": manifest.own_checksum()})
    _write_through(unfinished / MANIFEST, manifest.model_dump_json(indent=1).encode())
    _sync_directory(unfinished)
    final = directory / f"{number:012d}"
    unfinished.rename(final)
    _sync_directory(directory)
    for old in [*finished, final][:-keep]:
        doomed = old.rename(directory / f"{_UNFINISHED}{old.name}")  # so that none is seen half deleted
        shutil.rmtree(doomed)
    return final


def read_manifest(directory: Path) -> Manifest:
    """Return the manifest of a snapshot. Raises DamagedSnapshotError."""
    try:
        manifest = Manifest.model_validate_json((directory / MANIFEST).read_bytes())
    except (OSError, ValidationError) as error:
        raise DamagedSnapshotError(directory, f"{MANIFEST} cannot be read: {error}") from error
    if manifest.checksum != manifest.own_checksum():
        raise DamagedSnapshotError(directory, f"{MANIFEST} was altered")
    return manifest


def verify_files(directory: Path, manifest: Manifest) -> None:
    """Check every file of a snapshot against its checksum. Raises DamagedSnapshotError."""
    for name, entry in manifest.groups.items():
        try:
            digest = _digest(directory / entry.file)
        except OSError as error:
            raise DamagedSnapshotError(directory, f"group {name!r}: {error}") from error
        if digest != entry.sha256:
            raise DamagedSnapshotError(directory, f"group {name!r}: {entry.file} is not what was written")


def read_group(directory: Path, entry: GroupEntry) -> GroupState:
    """Return what a verified file holds. Raises DamagedSnapshotError."""
    try:
        with np.load(directory / entry.file, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return _from_arrays(arrays, entry)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DamagedSnapshotError(directory, f"{entry.file} cannot be read: {error!r}") from error


def _write_group(directory: Path, name: str, state: GroupState) -> GroupEntry:
    path = directory / name
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **_to_arrays(state))
        file.flush()
        os.fsync(file.fileno())
    return GroupEntry(
        file=name,
        sha256=_digest(path),
        settings=state.settings,
        version=state.version,
        slots=list(state.slots),
        dense=list(state.dense),
        num_rows=state.num_rows,
    )


def _to_arrays(state: GroupState) -> dict[str, AnyArray]:
    positions = state.positions
    arrays: dict[str, AnyArray] = {
        "epochs": state.epochs,
        "positions.buckets": positions.buckets,
        "positions.examples": positions.examples,
        "positions.feed": positions.feed,
        "positions.watermarks": positions.watermarks,
        "positions.applied": positions.applied,
    }
    for place, table in enumerate(state.slots.values()):
        arrays[f"slot-{place}.ids"] = table.ids
        arrays[f"slot-{place}.records"] = table.records
    for place, dense in enumerate(state.dense.values()):
        arrays[f"dense-{place}.values"] = dense.values
        arrays[f"dense-{place}.first"] = dense.first
        arrays[f"dense-{place}.second"] = dense.second
        arrays[f"dense-{place}.steps"] = np.array(dense.steps, dtype=np.int64)
    if state.counters is not None:
        arrays["counters.ids"] = state.counters.ids
        arrays["counters.totals"] = state.counters.totals
        arrays["counters.decayed"] = state.counters.decayed
        arrays["counters.times"] = state.counters.times
    return arrays


def _from_arrays(arrays: dict[str, AnyArray], entry: GroupEntry) -> GroupState:
    counters = ("ids", "totals", "decayed", "times")
    parts = ("buckets", "examples", "feed", "watermarks", "applied")
    return GroupState(
        settings=entry.settings,
        version=entry.version,
        positions=BucketPositions(*(arrays[f"positions.{part}"] for part in parts)),
        epochs=arrays["epochs"],
        slots={
            slot: TableState(arrays[f"slot-{place}.ids"], arrays[f"slot-{place}.records"])
            for place, slot in enumerate(entry.slots)
        },
        dense={
            name: DenseState(
                arrays[f"dense-{place}.values"],
                arrays[f"dense-{place}.first"],
                arrays[f"dense-{place}.second"],
                int(arrays[f"dense-{place}.steps"]),
            )
            for place, name in enumerate(entry.dense)
        },
        counters=CounterRows(*(arrays[f"counters.{part}"] for part in counters))
        if entry.settings.counters
        else None,
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_through(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
