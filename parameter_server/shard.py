"""A parameter shard: the rows, dense weights and counters of some buckets, for every group.

A plain class for one thread; `actors/cluster.py` makes an actor of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from messages.arrays import BoolArray, FloatArray, IdArray, IntArray
from messages.updates import (
    COUNTERS_GROUP,
    CounterRows,
    Position,
    PullReply,
    PullRequest,
    ShardDelta,
    Update,
    UpdateOutcome,
    UpdateReply,
)
from parameter_server.bucket_moves import drop_from, export_from, import_into, stands_at
from parameter_server.group_state import GroupState
from parameter_server.hosted_buckets import HostedBuckets, MovingBucketsError
from parameter_server.positions import BucketPositions
from parameter_server.settings import GroupSettings
from parameter_server.table_group import TableGroup
from parameter_server.update_checks import check_hosted

__all__ = ["BucketPositions", "MovingBucketsError", "ParameterShard", "UnknownGroupError"]


class UnknownGroupError(LookupError):
    """The shard has no such group: it was never created here, or the shard began anew without a snapshot."""


class ParameterShard:
    """Hosts buckets of every group; each call is whole or not at all.

    buckets: int64, which of the NUM_BUCKETS this shard hosts. incarnation: a name that no earlier life of
    this shard has had; versions mean nothing across incarnations.
    """

    def __init__(self, shard_id: int, buckets: IntArray, incarnation: str) -> None:
        self.shard_id = shard_id
        self.incarnation = incarnation
        self._hosted = HostedBuckets(shard_id, buckets)
        self._groups: dict[str, TableGroup] = {}

    @property
    def buckets(self) -> IntArray:
        """The buckets hosted now, rising, int64."""
        return self._hosted.numbers

    @property
    def hosted(self) -> BoolArray:
        """Which buckets are hosted, bool [NUM_BUCKETS]: a view that follows every move."""
        return self._hosted.mask

    @property
    def moves(self) -> int:
        """How often buckets came or went; a copy in many steps begins again after one."""
        return self._hosted.moves

    def group_names(self) -> list[str]:
        return sorted(self._groups)

    def has_group(self, name: str) -> bool:
        return name in self._groups

    def create_group(
        self,
        name: str,
        settings: GroupSettings,
        dense: Mapping[str, FloatArray],
        start: Mapping[int, Position] | None = None,
    ) -> None:
        """Make a group; one that exists (from a snapshot) is kept and takes the new rates and bounds.

        dense: first values of all dense weights, of which the shard keeps those of its buckets. start: where
        a new group begins on EXAMPLES, by partition; the beginning where left out. Raises ValueError,
        changing nothing, if the group exists with another layout.
        """
        if name in self._groups:
            group = self._groups[name]
            group.use(settings)
            group.begin_dense(dense)
            return
        group = self._new_group(name, settings)
        group.begin_dense(dense)
        group.ledger.begin_at(start or {})
        self._groups[name] = group

    def drop_group(self, name: str) -> None:
        """Forget a group and all that it holds."""
        self._group(name)
        del self._groups[name]

    def pull(self, request: PullRequest) -> PullReply:
        """Read rows, dense weights and counters. Raises ValueError for rows of other shards, and
        MovingBucketsError for a request that was cut for other buckets than are here."""
        group = self._group(request.group)
        self._hosted.check_cut(request.cut_for)
        for slot, ids in request.ids.items():
            check_hosted(f"slot {slot!r}", ids, self.hosted)
        counters: CounterRows | None = None
        if request.counter_ids is not None:
            check_hosted("counters", request.counter_ids, self.hosted)
            table = self._group(COUNTERS_GROUP).counters
            if table is None:
                raise ValueError(f"group {COUNTERS_GROUP!r} was created without counters")
            counters = table.read(request.counter_ids)
        newer_than = request.dense_newer_than
        return PullReply(
            values=group.read(request.ids),
            dense={} if newer_than is None else group.dense.newer_than(newer_than),
            counters=counters,
            version=group.version,
        )

    def apply_update(self, update: Update) -> UpdateReply:
        """Apply a mini-batch's effect whole and exactly once, or say why not.

        Safe to send again after a lost answer: the second time it is a DUPLICATE. Raises ValueError, changing
        nothing, for an update that could never be applied (unknown slots, wrong shapes, rows of other shards,
        numbers that are not finite).
        """
        group = self._group(update.group)
        is_ours = self._hosted.is_cut_for(update.cut_for)
        outcome = group.apply(update) if is_ours else UpdateOutcome.MOVING
        return UpdateReply(outcome, group.version)

    def erase(self, name: str, ids: Mapping[str, IdArray]) -> dict[str, int]:
        """Forget rows of a group, values and optimizer state; return how many there were, by slot.

        ids: per slot, uint64 [m]; those of other shards are not here. Readers learn of it by `deltas_since`.
        """
        group = self._group(name)
        group.read({slot: of_slot[:0] for slot, of_slot in ids.items()})  # unknown slots: before any change
        return group.erase(ids)

    def positions(self, name: str) -> BucketPositions:
        """Return a copy of where each hosted bucket stands."""
        return self._group(name).ledger.positions.copy()

    def deltas_since(self, name: str, version: int, incarnation: str) -> ShardDelta:
        """Return what changed in a group after `version` of `incarnation`, work in proportion to the changes.

        Everything (full) where the version is unknown here (-1, say), of another incarnation, or older than
        the log of removals.
        """
        return self._group(name).delta_since(
            version, self.incarnation, same_incarnation=incarnation == self.incarnation
        )

    def statistics(self) -> dict[str, Any]:
        """Return plain numbers of every group: version, rows and bytes per table, examples per partition."""
        return {
            "shard": self.shard_id,
            "incarnation": self.incarnation,
            "buckets": len(self.buckets),
            "groups": {name: group.statistics() for name, group in self._groups.items()},
        }

    def states(self) -> dict[str, GroupState]:
        """Return a copy of every group, which another thread may write down while this one goes on."""
        return {name: group.state() for name, group in self._groups.items()}

    def load_group(self, name: str, states: list[GroupState], settings: GroupSettings | None = None) -> None:
        """Make a group of saved states; buckets that none of them has begin empty.

        The states hold hosted buckets only and share none. settings: to be fitted to, where slots have come,
        gone, or changed dimension. Raises ValueError if the group exists or the states differ in layout.
        """
        if name in self._groups:
            raise ValueError(f"group {name!r} exists; restore before it is created")
        if settings is not None:
            states = [state.fitted(settings) for state in states]
        newest = max(states, key=lambda state: state.version)
        if not all(state.settings.has_same_layout(newest.settings) for state in states):
            raise ValueError(f"saved states of group {name!r} differ in layout")
        group = self._new_group(name, newest.settings)
        for state in states:
            group.load(state)
        self._groups[name] = group

    def export_buckets(self, buckets: IntArray) -> dict[str, GroupState]:
        """Return a copy of all that some hosted buckets hold, of every group, for another shard to import.

        Raises ValueError for a bucket that is not hosted.
        """
        wanted = self._hosted.mask_of(buckets)
        return {name: export_from(group, wanted) for name, group in self._groups.items()}

    def drop_buckets(self, exported: Mapping[str, GroupState]) -> None:
        """Forget exported buckets, which from now on are another shard's.

        Readers get no tombstones: the rows live on elsewhere. Raises ValueError, changing nothing, if they
        have learned more since they were exported, or a group came or went: export them again.
        """
        if exported.keys() != self._groups.keys():
            raise ValueError(f"groups {sorted(exported)} were exported, {self.group_names()} are here")
        buckets = np.unique(np.concatenate([state.positions.buckets for state in exported.values()]))
        self._hosted.mask_of(buckets)
        for name, state in exported.items():
            if not stands_at(self._groups[name], state.positions):
                raise ValueError(f"group {name!r} has gone on since buckets {buckets.tolist()} were exported")
        self.forget_buckets(buckets)

    def forget_buckets(self, buckets: IntArray) -> None:
        """Forget hosted buckets that are another shard's, whatever they have learned here since it got them.

        Safe, since that shard has kept their positions: what they learned here is learned there again.
        """
        wanted = self._hosted.mask_of(buckets)
        for group in self._groups.values():
            drop_from(group, wanted)
        self._hosted.remove(buckets)

    def import_buckets(self, exported: Mapping[str, GroupState]) -> None:
        """Host buckets of another shard at the positions they stood at there.

        Readers of deltas start again with everything. Raises ValueError, changing nothing, if one is hosted
        already or the groups are not the same here.
        """
        if exported.keys() != self._groups.keys():
            raise ValueError(f"groups {sorted(exported)} come, {self.group_names()} are here")
        for name, state in exported.items():
            if not state.settings.has_same_layout(self._groups[name].settings):
                raise ValueError(f"group {name!r} has another layout here")
            self._hosted.check_absent(state.positions.buckets)
        for name, state in exported.items():
            self._hosted.add(state.positions.buckets)
            import_into(self._groups[name], state)

    def group(self, name: str) -> TableGroup:
        """Return a group, for copies and inspection. Raises UnknownGroupError."""
        return self._group(name)

    def _new_group(self, name: str, settings: GroupSettings) -> TableGroup:
        return TableGroup(name, settings, self.buckets, self.hosted)

    def _group(self, name: str) -> TableGroup:
        try:
            return self._groups[name]
        except KeyError:
            raise UnknownGroupError(f"shard {self.shard_id} has no group {name!r}") from None
