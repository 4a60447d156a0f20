"""How a new group begins as what another one is, or as what it was: a candidate's copy, a rollback's lineage.

The new group takes over rows, optimizer state and positions, bucket by bucket, so that its learner goes on
exactly where they stand. Owners' epochs are not taken over: nobody has owned the new group yet.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from messages.arrays import FloatArray
from parameter_server.group_state import GroupState
from parameter_server.settings import GroupSettings
from parameter_server.shard import ParameterShard
from parameter_server.snapshot_files import SnapshotRoot, open_files
from parameter_server.snapshot_format import DamagedSnapshotError, Manifest
from parameter_server.snapshot_restore import (
    chain_of,
    newest_by_bucket,
    read_snapshot,
    sound_manifests,
)

_logger = logging.getLogger(__name__)


class NoSuchSnapshotError(LookupError):
    """No sound snapshot holds the group that a new one should begin as."""


@dataclass(frozen=True, slots=True)
class BirthReport:
    """num_rows: taken over. as_of: when the oldest snapshot used was taken, epoch seconds; NaN for a copy."""

    num_rows: int
    as_of: float


def begin_as_copy(
    shard: ParameterShard,
    name: str,
    source: str,
    settings: GroupSettings,
    dense: Mapping[str, FloatArray],
) -> BirthReport:
    """Make a group that is what `source` is now. The shard answers nobody meanwhile.

    dense: first values of the dense weights, for their shapes. Raises UnknownGroupError where there is no
    source, and ValueError, leaving no group behind, where its dense weights have other shapes.
    """
    state = shard.group(source).state()
    return _load(shard, name, [state], settings, dense, float("nan"))


def begin_as_snapshot(
    shard: ParameterShard,
    root: SnapshotRoot,
    name: str,
    source: str,
    before: float,
    settings: GroupSettings,
    dense: Mapping[str, FloatArray],
) -> BirthReport:
    """Make a group that is what `source` was in the newest snapshot of a time before `before`, epoch seconds.

    Where none is that old, the oldest there is serves. Raises NoSuchSnapshotError, or ValueError as
    `begin_as_copy` does.
    """
    files = open_files(root)
    manifests = sound_manifests(files)
    holding = {where: manifest for where, manifest in manifests.items() if source in manifest.groups}
    candidates = _nearest_first(holding, before)
    while chosen := newest_by_bucket(candidates, shard):
        try:
            states = [
                read_snapshot(files, directory, manifests)[source].of_buckets(wanted)
                for directory, wanted in chosen.items()
            ]
        except DamagedSnapshotError as error:
            _logger.error("a snapshot is refused and another one used instead: %s", error)
            for directory in list(candidates):
                if error.directory in chain_of(directory, manifests):
                    del candidates[directory]
        else:
            as_of = min(candidates[directory].created_at for directory in chosen)
            return _load(shard, name, states, settings, dense, as_of)
    raise NoSuchSnapshotError(f"no snapshot under {root} holds group {source!r}")


def _load(
    shard: ParameterShard,
    name: str,
    states: Sequence[GroupState],
    settings: GroupSettings,
    dense: Mapping[str, FloatArray],
    as_of: float,
) -> BirthReport:
    unowned = [dataclasses.replace(state, epochs=np.zeros_like(state.epochs)) for state in states]
    shard.load_group(name, unowned, settings)
    try:
        shard.create_group(name, settings, dense)
    except ValueError:
        shard.drop_group(name)
        raise
    return BirthReport(sum(state.num_rows for state in states), as_of)


def _nearest_first(manifests: Mapping[str, Manifest], before: float) -> dict[str, Manifest]:
    """Order by how well they serve: those of the time before, newest first, then the others, oldest first."""

    def rank(item: tuple[str, Manifest]) -> tuple[bool, float]:
        created_at = item[1].created_at
        return created_at > before, created_at if created_at > before else -created_at

    return dict(sorted(manifests.items(), key=rank))
