"""What one snapshot is made of: a folder that counts only with its manifest, written last.

    shard-0003/000000000012/group-0.npz      rows, optimizer state, counters and positions of one group
    shard-0003/000000000012/manifest.json    what is there, its settings and its sha256, and its own
    shard-0003/000000000012/pinned-NAME      it stays, see `snapshot_pins`

A snapshot is a base, or what changed since its parent. Nothing is pickled. No rename is needed, which object
stores do not have: a folder whose manifest is missing, torn or altered is no snapshot.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from messages.arrays import AnyArray
from messages.updates import CounterRows
from parameter_server.admission import Candidates
from parameter_server.dense_parameters import DenseState
from parameter_server.group_state import GroupState
from parameter_server.positions import BucketPositions
from parameter_server.settings import GroupSettings
from parameter_server.snapshot_files import HashingWriter, SnapshotFiles
from parameter_server.table_state import TableState

MANIFEST = "manifest.json"
_POSITIONS = ("buckets", "examples", "feed", "watermarks", "applied")
_COUNTERS = ("ids", "totals", "decayed", "times")


class DamagedSnapshotError(ValueError):
    """A snapshot is incomplete or is not what was written; the text says where."""

    def __init__(self, directory: str, location: str, reason: str) -> None:
        super().__init__(directory, location, reason)
        self.directory = directory
        self.location = location
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.location}: {self.reason}"


class GroupEntry(BaseModel):
    """One group's file. slots, dense, removed: names, in the order of the numbered arrays in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str
    sha256: str
    num_bytes: int
    settings: GroupSettings
    version: int
    since: int
    clock: int
    slots: list[str]
    dense: list[str]
    removed: list[str]
    num_rows: int
    rows: dict[str, int]


class Manifest(BaseModel):
    """What a snapshot folder holds. parent: the folder of the same shard that this one's changes build on.

    created_at: epoch seconds. buckets: all that the shard hosted.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[2] = 2
    shard: int
    incarnation: str
    created_at: float
    buckets: list[int]
    parent: str | None = None
    groups: dict[str, GroupEntry]


def shard_directory(shard_id: int) -> str:
    return f"shard-{shard_id:04d}"


def snapshot_directories(files: SnapshotFiles, shard: str | None = None) -> list[str]:
    """Return the folders of snapshots, finished or not, of one shard or of all, the oldest of each first."""
    shards = [name for name in files.names("") if name.startswith("shard-")] if shard is None else [shard]
    return [f"{folder}/{name}" for folder in shards for name in files.names(folder) if name.isdigit()]


def write_group(files: SnapshotFiles, directory: str, name: str, state: GroupState) -> GroupEntry:
    """Write one group's file and say what is in it."""
    arrays = _to_arrays(state)
    with files.writing(f"{directory}/{name}") as file:
        writer = HashingWriter(file)
        with zipfile.ZipFile(writer, "w", zipfile.ZIP_STORED) as archive:
            for label, array in arrays.items():
                with archive.open(f"{label}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, np.asarray(array, order="C"), allow_pickle=False)
    return GroupEntry(
        file=name,
        sha256=writer.hexdigest(),
        num_bytes=sum(array.nbytes for array in arrays.values()),
        settings=state.settings,
        version=state.version,
        since=state.since,
        clock=state.clock,
        slots=list(state.slots),
        dense=list(state.dense),
        removed=list(state.removed),
        num_rows=state.num_rows,
        rows={slot: len(table.ids) for slot, table in state.slots.items()},
    )


def write_manifest(files: SnapshotFiles, directory: str, manifest: Manifest) -> None:
    """Make a snapshot of what is in its folder."""
    content = manifest.model_dump(mode="json")
    with files.writing(f"{directory}/{MANIFEST}") as file:
        file.write(json.dumps({"sha256": _digest_of(content), "snapshot": content}, indent=1).encode())


def read_manifest(files: SnapshotFiles, directory: str) -> Manifest:
    """Return the manifest of a snapshot. Raises DamagedSnapshotError."""
    location = files.location(directory)
    try:
        stored = json.loads(files.read(f"{directory}/{MANIFEST}"))
        if stored["sha256"] != _digest_of(stored["snapshot"]):
            raise DamagedSnapshotError(directory, location, f"{MANIFEST} was altered")
        return Manifest.model_validate(stored["snapshot"])
    except (OSError, ValidationError, json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise DamagedSnapshotError(directory, location, f"{MANIFEST} cannot be read: {error}") from error


def read_group(files: SnapshotFiles, directory: str, entry: GroupEntry) -> GroupState:
    """Return what a file holds, after checking that it is what was written. Raises DamagedSnapshotError."""
    location = files.location(directory)
    try:
        data = files.read(f"{directory}/{entry.file}")
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            raise DamagedSnapshotError(directory, location, f"{entry.file} is not what was written")
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            return _from_arrays({name: file[name] for name in file.files}, entry)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise DamagedSnapshotError(directory, location, f"{entry.file} cannot be read: {error!r}") from error


def _digest_of(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _to_arrays(state: GroupState) -> dict[str, AnyArray]:
    arrays: dict[str, AnyArray] = {"epochs": state.epochs}
    arrays |= {f"positions.{part}": getattr(state.positions, part) for part in _POSITIONS}
    for place, table in enumerate(state.slots.values()):
        arrays[f"slot-{place}.ids"] = table.ids
        arrays[f"slot-{place}.records"] = table.records
        arrays[f"slot-{place}.times"] = table.times
        arrays[f"slot-{place}.steps"] = np.array(table.steps, dtype=np.int64)
        arrays[f"slot-{place}.candidate-ids"] = table.candidates.ids
        arrays[f"slot-{place}.candidate-counts"] = table.candidates.counts
        arrays[f"slot-{place}.candidate-times"] = table.candidates.times
    for place, dense in enumerate(state.dense.values()):
        arrays[f"dense-{place}.values"] = dense.values
        arrays[f"dense-{place}.first"] = dense.first
        arrays[f"dense-{place}.second"] = dense.second
        arrays[f"dense-{place}.steps"] = np.array(dense.steps, dtype=np.int64)
    for place, removed in enumerate(state.removed.values()):
        arrays[f"removed-{place}"] = removed
    if state.counters is not None:
        arrays |= {f"counters.{part}": getattr(state.counters, part) for part in _COUNTERS}
    return arrays


def _from_arrays(arrays: dict[str, AnyArray], entry: GroupEntry) -> GroupState:
    return GroupState(
        settings=entry.settings,
        version=entry.version,
        positions=BucketPositions(*(arrays[f"positions.{part}"] for part in _POSITIONS)),
        epochs=arrays["epochs"],
        clock=entry.clock,
        slots={slot: _table_of(arrays, f"slot-{place}") for place, slot in enumerate(entry.slots)},
        dense={
            name: DenseState(
                arrays[f"dense-{place}.values"],
                arrays[f"dense-{place}.first"],
                arrays[f"dense-{place}.second"],
                int(arrays[f"dense-{place}.steps"]),
            )
            for place, name in enumerate(entry.dense)
        },
        counters=CounterRows(*(arrays[f"counters.{part}"] for part in _COUNTERS))
        if entry.settings.counters
        else None,
        since=entry.since,
        removed={slot: arrays[f"removed-{place}"] for place, slot in enumerate(entry.removed)},
    )


def _table_of(arrays: dict[str, AnyArray], label: str) -> TableState:
    return TableState(
        arrays[f"{label}.ids"],
        arrays[f"{label}.records"],
        arrays[f"{label}.times"],
        int(arrays[f"{label}.steps"]),
        Candidates(*(arrays[f"{label}.candidate-{part}"] for part in ("ids", "counts", "times"))),
    )
