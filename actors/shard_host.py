"""A parameter shard with its snapshots: restores what was kept when constructed, writes on request."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from actors.model_groups import GroupBirth, counters_plan, model_plan
from learners.training_settings import TrainingSettings
from messages.arrays import IntArray
from messages.updates import (
    COUNTERS_GROUP,
    PullReply,
    PullRequest,
    ShardDelta,
    Update,
    UpdateOutcome,
    UpdateReply,
)
from parameter_server.group_births import begin_as_copy, begin_as_snapshot
from parameter_server.shard import BucketPositions, ParameterShard
from parameter_server.shard_copy import ShardCopy
from parameter_server.snapshots import SnapshotSeries, restore_latest

logger = logging.getLogger(__name__)


class ShardHostSettings(BaseModel):
    """Where snapshots go and how often."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    snapshot_root: Path | str
    snapshot_every_seconds: float = Field(default=30.0, gt=0)
    snapshots_kept: int = Field(default=3, ge=1)


class ShardHost:
    """Answers from one thread. A new incarnation means: readers of deltas start again with everything."""

    def __init__(
        self,
        shard_id: int,
        buckets: IntArray,
        models: Mapping[str, TrainingSettings],
        num_partitions: int,
        settings: ShardHostSettings,
    ) -> None:
        """models: by group. Groups are made here: a restart must not depend on what its caller once sent."""
        self._settings = settings
        self._num_partitions = num_partitions
        self._shard = ParameterShard(shard_id, buckets, incarnation=uuid.uuid4().hex[:12])
        plans = {name: model_plan(training, num_partitions) for name, training in models.items()}
        plans[COUNTERS_GROUP] = counters_plan(num_partitions)
        self.restored = restore_latest(
            self._shard,
            settings.snapshot_root,
            settings={name: plan.settings for name, plan in plans.items()},
        )
        if self.restored is not None:
            logger.info("shard %d: restored %s", shard_id, self.restored)
        for name, plan in plans.items():
            self._shard.create_group(name, plan.settings, plan.dense)
        self._series = SnapshotSeries(self._shard, settings.snapshot_root, keep=settings.snapshots_kept)
        self._copy: ShardCopy | None = None
        self._writer = ThreadPoolExecutor(1, f"snapshots-of-shard-{shard_id}")
        self._writing: Future[str] | None = None
        self._written_at = time.monotonic()
        self._has_news = False

    def pull(self, request: PullRequest) -> PullReply:
        return self._shard.pull(request)

    def apply_update(self, update: Update) -> UpdateReply:
        reply = self._shard.apply_update(update)
        self._has_news = self._has_news or reply.outcome is UpdateOutcome.APPLIED
        self._go_on_with_snapshot()
        return reply

    def positions(self, group: str) -> BucketPositions:
        return self._shard.positions(group)

    def deltas_since(self, group: str, version: int, incarnation: str) -> ShardDelta:
        self._go_on_with_snapshot()  # this call comes every tick, also when no update does
        return self._shard.deltas_since(group, version, incarnation)

    def statistics(self) -> dict[str, Any]:
        """Return the shard's numbers, and whence it was restored."""
        restored = None if self.restored is None else [str(path) for path in self.restored.directories]
        return self._shard.statistics() | {"restored": restored}

    def ensure_group(self, name: str, training: TrainingSettings, birth: GroupBirth) -> bool:
        """Make a model's group where it is not there yet; one that is takes these rates. True: it was made.

        Safe to repeat. What was made is in the next snapshot, which begins at once. Raises ValueError for
        settings that do not fit, UnknownGroupError or NoSuchSnapshotError where there is nothing to begin as.
        """
        plan = model_plan(training, self._num_partitions)
        is_new = not self._shard.has_group(name)
        if is_new and birth.kind == "copy":
            begin_as_copy(self._shard, name, birth.source, plan.settings, plan.dense)
        elif is_new and birth.kind == "snapshot":
            begin_as_snapshot(
                self._shard,
                self._settings.snapshot_root,
                name,
                birth.source,
                birth.before,
                plan.settings,
                plan.dense,
            )
        else:
            self._shard.create_group(name, plan.settings, plan.dense, birth.positions())
        if is_new:
            self._has_news, self._written_at = True, float("-inf")
        return is_new

    def drop_group(self, name: str) -> bool:
        """Forget a model's group; False where there was none."""
        if not self._shard.has_group(name):
            return False
        self._shard.drop_group(name)
        self._has_news = True
        return True

    def write_snapshot(self) -> str:
        """Write what the shard holds now and return where, when it is kept."""
        if self._writing is not None:
            self._writing.result()
            self._writing = None
        self._begin(None)
        return self._series.take()

    def _go_on_with_snapshot(self) -> None:
        """Copy one more slice of a snapshot that is under way, or begin one that is due.

        Calls wait for one slice at most; the writing goes on beside them. Raises what the snapshot before
        failed of: a full disk must not stay unseen.
        """
        if self._copy is not None:
            if self._copy.step():
                self._writing = self._writer.submit(self._series.write, self._copy)
                self._copy = None
            return
        is_due = time.monotonic() - self._written_at >= self._settings.snapshot_every_seconds
        if not is_due or not self._has_news or (self._writing is not None and not self._writing.done()):
            return
        if self._writing is not None:
            self._writing.result()
            self._writing = None
        self._begin(self._series.begin())

    def _begin(self, copy: ShardCopy | None) -> None:
        self._copy = copy
        self._written_at = time.monotonic()
        self._has_news = False
