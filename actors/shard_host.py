"""A parameter shard with its snapshots: restores what was kept when constructed, writes on request.

A bucket has one home, which the map of shards names; a shard fits itself to the map. During a move it may for
a moment have buckets that the map does not give it, or miss some: its clients then get MOVING, since what
they send is cut for others, and so nothing is applied in two places.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from actors.model_groups import GroupBirth, begin_group, counters_plan, model_plan
from actors.paced_snapshots import PacedSnapshots
from actors.shard_host_settings import ShardHostSettings
from actors.shard_map_store import ShardMapSource, ShardMapUnavailableError
from actors.shard_news import ShardNews
from learners.training_settings import TrainingSettings
from messages.arrays import IntArray
from messages.updates import (
    COUNTERS_GROUP,
    Cursor,
    PullReply,
    PullRequest,
    ShardDelta,
    Update,
    UpdateOutcome,
    UpdateReply,
)
from parameter_server.group_state import GroupState
from parameter_server.push_gate import PushGate
from parameter_server.shard import BucketPositions, MovingBucketsError, ParameterShard
from parameter_server.snapshots import SnapshotInfo, restore_latest

logger = logging.getLogger(__name__)


class ShardHost:
    """Answers from one thread, but for `wait_for_news`. A new incarnation means: readers of deltas start
    again with everything."""

    def __init__(
        self,
        shard_id: int,
        buckets: IntArray,
        models: Mapping[str, TrainingSettings],
        num_partitions: int,
        settings: ShardHostSettings,
        shard_map: ShardMapSource | None = None,
    ) -> None:
        """models: by group. Groups are made here: a restart must not depend on what its caller once sent. Nor
        on which buckets it named: those of the map are hosted, where there is one."""
        self._shard_id = shard_id
        self._settings = settings
        self._num_partitions = num_partitions
        self._plans = {name: model_plan(training, num_partitions) for name, training in models.items()}
        self._plans[COUNTERS_GROUP] = counters_plan(num_partitions)
        self._shard_map = shard_map
        self._gate = PushGate()
        self._news = ShardNews()
        if shard_map is not None:
            # It waits for the store: an actor whose constructor fails is dead for good.
            buckets = shard_map.read(patience_seconds=float("inf")).buckets_of(shard_id)
        self._begin(buckets)

    def pull(self, request: PullRequest) -> PullReply:
        try:
            return self._shard.pull(request)
        except MovingBucketsError:
            self._follow_map()
            raise

    def apply_update(self, update: Update) -> UpdateReply:
        if not self._gate.lets_through(update, time.monotonic()):
            return UpdateReply(UpdateOutcome.MOVING, self._shard.group(update.group).version)
        reply = self._shard.apply_update(update)
        if reply.outcome is UpdateOutcome.APPLIED:
            self._snapshots.note_news()
            self._news.tell()
        elif reply.outcome is UpdateOutcome.MOVING:
            self._follow_map()
        self._snapshots.go_on()
        return reply

    def apply_and_pull(self, update: Update, request: PullRequest) -> tuple[UpdateReply, PullReply | None]:
        """Apply an update and read what its sender needs next, in one call.

        None: the update was not taken, or buckets moved meanwhile; to be asked again by `pull`.
        """
        reply = self.apply_update(update)
        if not reply.outcome.is_held:
            return reply, None
        try:
            return reply, self.pull(request)
        except MovingBucketsError:
            return reply, None

    def positions(self, group: str) -> BucketPositions:
        return self._shard.positions(group)

    def learned_feed(self, group: str) -> IntArray:
        """Return up to where every hosted bucket has learned FEED, int64 [P]: cheap to ask."""
        learned: IntArray = self._shard.group(group).ledger.positions.feed.min(axis=0)
        return learned

    def deltas_since(self, cursors: Mapping[str, Cursor]) -> list[ShardDelta]:
        """Return what changed in each group after its cursor, see `ParameterShard`."""
        self._snapshots.go_on()  # this call comes again and again, also when no update does
        return [self._shard.deltas_since(group, *cursor) for group, cursor in cursors.items()]

    def wait_for_news(self, cursors: Mapping[str, Cursor], seconds: float) -> bool:
        """Wait until `deltas_since` has something to tell, or to do: see `ShardNews`. It blocks its caller,
        which must be another thread than that of all other calls."""
        return self._news.wait(cursors, seconds)

    def statistics(self) -> dict[str, Any]:
        """Return the shard's numbers, whence it was restored, and why it cannot write snapshots, if so."""
        restored = None if self.restored is None else [str(path) for path in self.restored.directories]
        return self._shard.statistics() | {"restored": restored, "failure": self._snapshots.failure}

    def close_gate(
        self, lease_seconds: float, ends: Mapping[str, IntArray] | None = None
    ) -> dict[str, tuple[IntArray, IntArray]]:
        """Take no more updates than up to `ends`, for so long; ends: where the furthest bucket stands now.

        Returns the lowest and the highest position of the hosted buckets by partition, int64 [P] each, of
        every group; nothing of no buckets. A lease, since who closes it may die before opening it.
        """
        standing = {name: self._shard.positions(name).examples for name in self._shard.group_names()}
        standing = {name: examples for name, examples in standing.items() if len(examples)}
        highest = {name: examples.max(axis=0) for name, examples in standing.items()}
        self._gate.close(highest if ends is None else ends, time.monotonic() + lease_seconds)
        return {name: (examples.min(axis=0), highest[name]) for name, examples in standing.items()}

    def open_gate(self) -> None:
        self._gate.open()

    def export_buckets(self, buckets: IntArray) -> dict[str, GroupState]:
        """Return a copy of what hosted buckets hold, of every group. Raises ValueError for others."""
        return self._shard.export_buckets(buckets)

    def import_buckets(self, exported: Mapping[str, GroupState]) -> None:
        """Host buckets of another shard; groups that are not here yet are made. Raises ValueError."""
        for name, state in exported.items():
            if not self._shard.has_group(name):
                self._shard.create_group(name, state.settings, {})
        self._shard.import_buckets(exported)
        self._snapshots.request()
        self._news.tell()

    def settle(self) -> None:
        """Fit what is hosted to the map: let go what is another's, restore what is missing as after a death.

        Raises ShardMapUnavailableError.
        """
        if self._shard_map is None:
            return
        wanted = self._shard_map.read().buckets_of(self._shard_id)
        if len(np.setdiff1d(wanted, self._shard.buckets)):
            logger.warning("shard %d: buckets of the map are missing, restoring", self._shard_id)
            self._snapshots.close()
            self._begin(wanted)
            return
        surplus = np.setdiff1d(self._shard.buckets, wanted)
        if len(surplus):
            self._shard.forget_buckets(surplus)
            self._snapshots.request()

    def ensure_group(self, name: str, training: TrainingSettings, birth: GroupBirth) -> bool:
        """Make a model's group where it is not there yet; one that is takes these rates. True: it was made.

        Safe to repeat. What was made is in the next snapshot, which begins at once. Raises ValueError for
        settings that do not fit, UnknownGroupError or NoSuchSnapshotError where there is nothing to begin as.
        """
        is_new = not self._shard.has_group(name)
        if not is_new and self._ensured.get(name) == training:
            return False  # the usual call, every few seconds: first weights need not be drawn for it
        plan = model_plan(training, self._num_partitions)
        begin_group(self._shard, name, plan, birth, self._settings.snapshot_root)
        self._ensured[name] = training
        if is_new:
            self._snapshots.request()
        return is_new

    def drop_group(self, name: str) -> bool:
        """Forget a model's group; False where there was none."""
        if not self._shard.has_group(name):
            return False
        self._shard.drop_group(name)
        self._snapshots.note_news()
        return True

    def keep_pinned(self, versions: Sequence[str]) -> bool:
        """Keep a snapshot for each of these versions; True where each has one. See `PacedSnapshots`."""
        return self._snapshots.keep_pinned(versions)

    def write_snapshot(self) -> str:
        """Write what the shard holds now and return where, when it is kept."""
        return self._snapshots.write_now()

    def request_snapshot(self) -> int:
        """Ask for a snapshot soon, for which no call waits long; returns its ticket."""
        return self._snapshots.request()

    def snapshot_location(self, ticket: int) -> str | None:
        """Return where the snapshot of a ticket is, None while it is not written yet; ask again."""
        return self._snapshots.location(ticket)

    def close(self) -> None:
        """Wait for the snapshot that is being written; for who ends a shard but not its process."""
        self._snapshots.close()

    def _begin(self, buckets: IntArray) -> None:
        self._shard = ParameterShard(self._shard_id, buckets, incarnation=uuid.uuid4().hex[:12])
        self._ensured: dict[str, TrainingSettings] = {}
        self.restored: SnapshotInfo | None = restore_latest(
            self._shard,
            self._settings.snapshot_root,
            settings={name: plan.settings for name, plan in self._plans.items()},
        )
        if self.restored is not None:
            logger.info("shard %d: restored %s", self._shard_id, self.restored)
        for name, plan in self._plans.items():
            self._shard.create_group(name, plan.settings, plan.dense)
        self._snapshots = PacedSnapshots(
            self._shard,
            self._settings.snapshot_root,
            self._settings.snapshot_every_seconds,
            self._settings.snapshots_kept,
        )
        self._news.begin(self._shard, self._snapshots)

    def _follow_map(self) -> None:
        """Settle, since a sender's map is not what is here; during a move, who leads it does that."""
        if self._shard_map is None or self._gate.is_closed(time.monotonic()):
            return
        try:
            self.settle()
        except ShardMapUnavailableError as error:
            logger.warning("shard %d cannot follow the map: %s", self._shard_id, error)
