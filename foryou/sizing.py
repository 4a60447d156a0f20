"""How large a system must be for so many people: the arithmetic of `docs/scaling.md`, on measured costs.

Sizes of rows are the model's own; rates are of one core of a small machine, so they are on the safe side.
"""

from __future__ import annotations

import math
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from learners.features.schema import RETRIEVAL_SLOT
from learners.ranking_model import RankingModelSettings, initial_dense_weights, slot_dimensions
from messages.updates import COUNTER_TOTALS, DECAYED_COUNTERS, HALF_LIVES

_FLOAT = 4
_ID = 8
_USER_SLOT, _CONTENT_SLOT = "user", "content"


class People(BaseModel):
    """What a day of one person looks like, and what there is to show."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    daily: int = Field(default=1_000_000, ge=1)
    known_by_daily: float = Field(default=5.0, ge=1)
    """People with a row, for each who comes on a day."""
    feeds: float = Field(default=12.0, gt=0)
    contents_per_feed: int = Field(default=10, ge=1)
    events_per_content: float = Field(default=1.3, gt=0)
    contents: int = Field(default=1_000_000, ge=1)
    peak: float = Field(default=3.0, ge=1)
    """Of the busiest minutes, times the day's mean."""


class Costs(BaseModel):
    """Of one core, or one of whatever it is. Replace them by what `foryou bench` says of your machines."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    events_joined_and_learned_per_core: float = 2_700.0
    """KuaiRand, one pass in one process: join, score, learn."""
    feeds_per_core: float = 150.0
    """500 candidates ranked of 1M contents."""
    load: float = Field(default=0.6, gt=0, le=1)
    """How busy a core may be at the peak."""
    table_overhead: float = 1.35
    """Of embedding tables, index and free room, times the rows' own bytes."""
    event_bytes: float = 250.0
    example_bytes: float = 350.0
    impression_bytes_per_content: float = 400.0
    """Features by value, columnar."""
    person_bytes_in_store: float = 2_000.0
    fact_bytes: float = 200.0
    """Of a content: its ids, category, tags, in a replica and in the store."""
    retention_days: float = 7.0
    copies: int = 3
    """Of streams, on the broker's servers."""
    syncs_per_second: float = 10.0
    rows_per_event: float = 6.0
    """That change: of the person, the content, its creator, category and tags."""
    shard_bytes: float = 12e9
    """Rows that one shard should hold: a node of 16 GB."""
    replica_bytes: float = 10e9


class Size(BaseModel):
    """Rates are of the peak; bytes of rows and replicas are of memory, of streams of disk with copies."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    daily_people: int
    contents: int
    events_per_second: float
    feeds_per_second: float
    learning_cores: int
    replicas: int
    shards: int
    shard_gigabytes: float
    replica_gigabytes: float
    store_gigabytes: float
    stream_terabytes: float
    broker_megabytes_per_second: float
    pull_push_megabytes_per_second: float
    sync_megabytes_per_second_to_each_replica: float

    def saturated(self) -> list[str]:
        """Return which parts are beyond what one of them carries; `docs/scaling.md` says what then."""
        costs = Costs()
        checks = {
            "contents beyond one replica's memory": self.replica_gigabytes * 1e9 > costs.replica_bytes,
            "one learner": self.learning_cores > 1,
            "one store": self.store_gigabytes > 64,
            "one NATS cluster": self.broker_megabytes_per_second > 500,
        }
        return [name for name, is_beyond in checks.items() if is_beyond]


def size_for(people: People, costs: Costs | None = None, model: RankingModelSettings | None = None) -> Size:
    """Return what so many people need."""
    costs, model = costs or Costs(), model or RankingModelSettings()
    widths = slot_dimensions(model)
    seconds = 86_400 / people.peak
    feeds = people.daily * people.feeds / seconds
    shown = feeds * people.contents_per_feed
    events = shown * people.events_per_content
    known = people.daily * people.known_by_daily
    rows = known * _row_bytes(widths[_USER_SLOT]) + people.contents * (
        _row_bytes(widths[_CONTENT_SLOT]) + _row_bytes(widths[RETRIEVAL_SLOT]) + _counter_bytes()
    )
    shard_bytes = rows * costs.table_overhead
    content = (
        (widths[_CONTENT_SLOT] + 2 * widths[RETRIEVAL_SLOT]) * _FLOAT + _counter_bytes() + costs.fact_bytes
    )
    replica_bytes = people.contents * content * costs.table_overhead
    changed = min(events * costs.rows_per_event, people.contents * costs.syncs_per_second)
    mean_row = _row_bytes(sum(widths.values()) / len(widths))
    dense = sum(weights.size for weights in initial_dense_weights(model).values()) * _FLOAT
    stored = costs.event_bytes + costs.example_bytes
    impressions = shown * costs.impression_bytes_per_content
    daily_bytes = (events * stored + impressions) / people.peak * 86_400
    return Size(
        daily_people=people.daily,
        contents=people.contents,
        events_per_second=events,
        feeds_per_second=feeds,
        learning_cores=_units(events, costs.events_joined_and_learned_per_core * costs.load),
        replicas=max(2, _units(feeds, costs.feeds_per_core * costs.load)),
        shards=max(2, _units(shard_bytes, costs.shard_bytes)),
        shard_gigabytes=shard_bytes / 1e9,
        replica_gigabytes=replica_bytes / 1e9,
        store_gigabytes=(
            known * (costs.person_bytes_in_store + _row_bytes(widths[_USER_SLOT]))
            + people.contents * costs.fact_bytes
        )
        / 1e9,
        stream_terabytes=daily_bytes * costs.retention_days * costs.copies / 1e12,
        broker_megabytes_per_second=(events * stored + impressions) * (costs.copies + 1) / 1e6,
        pull_push_megabytes_per_second=events * costs.rows_per_event * 2 * mean_row / 1e6,
        sync_megabytes_per_second_to_each_replica=(changed * mean_row + dense * costs.syncs_per_second) / 1e6,
    )


def table_of(sizes: list[Size]) -> list[str]:
    """Return the lines of a Markdown table, a column each."""
    lines = ["| | " + " | ".join(f"{size.daily_people / 1e6:g}M people" for size in sizes) + " |"]
    lines.append("|---" * (len(sizes) + 1) + "|")
    for name in Size.model_fields:
        if name != "daily_people":
            values: list[Any] = [getattr(size, name) for size in sizes]
            lines.append(
                f"| {name.replace('_', ' ')} | " + " | ".join(_plain(value) for value in values) + " |"
            )
    return lines


def _row_bytes(width: float) -> float:
    """Of values, one accumulator each, the id and the version of the last change."""
    return width * _FLOAT * 2 + 2 * _ID


def _counter_bytes() -> float:
    return 8.0 * (len(COUNTER_TOTALS) + len(HALF_LIVES) * len(DECAYED_COUNTERS) + 2)


def _units(amount: float, each: float) -> int:
    return max(1, math.ceil(amount / each))


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}" if isinstance(value, float) else str(value)
