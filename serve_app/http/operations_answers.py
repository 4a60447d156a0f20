"""Health and status as they are answered, for the API's description alone (see `answers`)."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class Health(BaseModel):
    """Whether a replica can serve."""

    live: bool
    ready: bool
    reasons: list[str] = Field(description="Why it is not ready.")
    warnings: list[str] = Field(description="What is wrong although it serves.")


class ServedVersion(BaseModel):
    """Of a model at hand; null before the first has arrived."""

    version: str | None
    age_seconds: float | None


class ProductionVersion(ServedVersion):
    """Of the model that answers everybody who is in no experiment."""

    id: str
    lineage: str | None
    counter: int | None


class LearnedPosition(BaseModel):
    """How far a partition is learned."""

    examples: int
    feed: int
    watermark: float = Field(description="Epoch seconds.")


class ReplicaSizes(BaseModel):
    """What a replica holds."""

    rows: dict[str, int] = Field(description="By embedding slot.")
    bytes: dict[str, int] = Field(description="By embedding slot.")
    contents: int
    indexed: int
    index_lists: int
    counters: int


class Status(Health):
    """What a replica serves with."""

    uptime_seconds: float
    model: ProductionVersion
    models: dict[str, ServedVersion] = Field(description="By model id.")
    experiments: list[str]
    partitions: dict[str, LearnedPosition]
    replica: ReplicaSizes
    workers: dict[str, dict[str, Any]] = Field(
        description="By role: `running`, `failure`, and what else the part last said of itself."
    )
