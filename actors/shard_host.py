"""A parameter shard with its snapshots: restores what was kept when constructed, writes on request."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from messages.arrays import FloatArray, IntArray
from messages.updates import PullReply, PullRequest, ShardDelta, Update, UpdateReply
from parameter_server.settings import GroupSettings
from parameter_server.shard import BucketPositions, ParameterShard
from parameter_server.snapshots import restore_latest, write_snapshot

logger = logging.getLogger(__name__)


class ShardHostSettings(BaseModel):
    """Where snapshots go and how often."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    snapshot_root: Path
    snapshot_every_seconds: float = Field(default=30.0, gt=0)
    snapshots_kept: int = Field(default=3, ge=1)


class GroupPlan(BaseModel):
    """A group to host: its settings, and the dense weights it begins with."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    settings: GroupSettings
    dense: Mapping[str, FloatArray]


class ShardHost:
    """Answers from one thread. A new incarnation means: readers of deltas start again with everything."""

    def __init__(
        self,
        shard_id: int,
        buckets: IntArray,
        groups: Mapping[str, GroupPlan],
        settings: ShardHostSettings,
    ) -> None:
        self._settings = settings
        self._root = settings.snapshot_root / f"shard-{shard_id}"
        self._shard = ParameterShard(shard_id, buckets, incarnation=uuid.uuid4().hex[:12])
        restored = restore_latest(self._shard, self._root)
        if restored is not None:
            logger.info("shard %d: restored %s", shard_id, restored)
        for name, plan in groups.items():
            self._shard.create_group(name, plan.settings, plan.dense)
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
