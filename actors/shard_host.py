"""A parameter shard with its snapshots: restores what was kept when constructed, writes on request."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from actors.model_groups import counters_plan, model_plan
from learners.training_settings import TrainingSettings
from messages.arrays import IntArray
from messages.updates import COUNTERS_GROUP, PullReply, PullRequest, ShardDelta, Update, UpdateReply
from parameter_server.shard import BucketPositions, ParameterShard
from parameter_server.snapshots import restore_latest, write_snapshot

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
        self._root = settings.snapshot_root / f"shard-{shard_id}"
        self._shard = ParameterShard(shard_id, buckets, incarnation=uuid.uuid4().hex[:12])
        restored = restore_latest(self._shard, self._root)
        if restored is not None:
            logger.info("shard %d: restored %s", shard_id, restored)
        for name, training in models.items():
            plan = model_plan(training, num_partitions)
            self._shard.create_group(name, plan.settings, plan.dense)
        counters = counters_plan(num_partitions)
        self._shard.create_group(COUNTERS_GROUP, counters.settings, counters.dense)
        self._written_at = time.monotonic()

    def pull(self, request: PullRequest) -> PullReply:
        return self._shard.pull(request)

    def apply_update(self, update: Update) -> UpdateReply:
        reply = self._shard.apply_update(update)
        if time.monotonic() - self._written_at >= self._settings.snapshot_every_seconds:
            self.write_snapshot()
        return reply

    def positions(self, group: str) -> BucketPositions:
        return self._shard.positions(group)

    def deltas_since(self, group: str, version: int, incarnation: str) -> ShardDelta:
        return self._shard.deltas_since(group, version, incarnation)

    def statistics(self) -> dict[str, Any]:
        return self._shard.statistics()

    def write_snapshot(self) -> str:
        """Write now; returns the path. Later pulls wait for it."""
        path = write_snapshot(self._shard, self._root, keep=self._settings.snapshots_kept)
        self._written_at = time.monotonic()
        return str(path)
