"""What a shard's process is told."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class ShardHostSettings(BaseModel):
    """Where snapshots go and how often."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    snapshot_root: Path | str
    snapshot_every_seconds: float = Field(default=30.0, gt=0)
    snapshots_kept: int = Field(default=3, ge=1)
