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

from actors.model_groups import counters_plan, model_plan
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
from parameter_server.shard import BucketPositions, ParameterShard
from parameter_server.snapshots import restore_latest, write_states

logger = logging.getLogger(__name__)


class ShardHostSettings(BaseModel):
    """Where snapshots go and how often."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    snapshot_root: Path
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
        self._shard = ParameterShard(shard_id, buckets, incarnation=uuid.uuid4().hex[:12])
        self.restored = restore_latest(self._shard, settings.snapshot_root)
        if self.restored is not None:
            logger.info("shard %d: restored %s", shard_id, self.restored)
        for name, training in models.items():
            plan = model_plan(training, num_partitions)
            self._shard.create_group(name, plan.settings, plan.dense)
        counters = counters_plan(num_partitions)
        self._shard.create_group(COUNTERS_GROUP, counters.settings, counters.dense)
        self._writer = ThreadPoolExecutor(1, f"snapshots-of-shard-{shard_id}")
        self._writing: Future[Path] | None = None
        self._written_at = time.monotonic()
        self._has_news = False

    def pull(self, request: PullRequest) -> PullReply:
        return self._shard.pull(request)

    def apply_update(self, update: Update) -> UpdateReply:
        reply = self._shard.apply_update(update)
        self._has_news = self._has_news or reply.outcome is UpdateOutcome.APPLIED
        self._snapshot_if_due()
        return reply

    def positions(self, group: str) -> BucketPositions:
        return self._shard.positions(group)

    def deltas_since(self, group: str, version: int, incarnation: str) -> ShardDelta:
        self._snapshot_if_due()  # this call comes every tick, also when no update does
        return self._shard.deltas_since(group, version, incarnation)

    def statistics(self) -> dict[str, Any]:
        """Return the shard's numbers, and whence it was restored."""
        restored = None if self.restored is None else [str(path) for path in self.restored.directories]
        return self._shard.statistics() | {"restored": restored}

    def write_snapshot(self) -> str:
        """Write what the shard holds now and return the path when it is on the disk."""
        if self._writing is not None:
            self._writing.result()
            self._writing = None
        self._begin_snapshot()
        assert self._writing is not None
        return str(self._writing.result())

    def _snapshot_if_due(self) -> None:
        is_due = time.monotonic() - self._written_at >= self._settings.snapshot_every_seconds
        if is_due and self._has_news:
            self._begin_snapshot()

    def _begin_snapshot(self) -> None:
        """Copy the states (calls wait that long), and write them beside the calls that follow.

        Raises what the snapshot before failed of: a full disk must not stay unseen.
        """
        if self._writing is not None:
            if not self._writing.done():
                return
            self._writing.result()
        states = self._shard.states()
        self._writing = self._writer.submit(
            write_states,
            self._shard,
            states,
            self._settings.snapshot_root,
            keep=self._settings.snapshots_kept,
        )
        self._written_at = time.monotonic()
        self._has_news = False
