"""From a mini-batch and what training made of it to the updates that shards take."""

from __future__ import annotations

from learners.counter_increments import counter_increments
from learners.span_cutter import MiniBatch
from learners.step_result import StepResult
from messages.examples import ExampleBatch
from messages.updates import COUNTERS_GROUP, Update


def model_update(
    group: str,
    epoch: int,
    mini_batch: MiniBatch,
    batch: ExampleBatch,
    result: StepResult | None,
    learning_rate_scale: float = 1.0,
) -> Update:
    """Return one model's update. result: None moves the positions alone (no rows, or quarantined)."""
    if result is None:
        return Update(group=group, epoch=epoch, spans=mini_batch.spans)
    return Update(
        group=group,
        epoch=epoch,
        spans=mini_batch.spans,
        rows=result.rows,
        births=result.births,
        dense=result.dense | result.statistics,
        learning_rate_scale=learning_rate_scale,
        stream_time=float(batch.times.max(initial=0.0)),
    )


def counter_update(epoch: int, mini_batch: MiniBatch, batch: ExampleBatch) -> Update:
    """Return the update of the content counters: every accepted event, joined or not."""
    return Update(
        group=COUNTERS_GROUP,
        epoch=epoch,
        spans=mini_batch.spans,
        counters=counter_increments(batch) if len(batch) else None,
        stream_time=float(batch.times.max(initial=0.0)),
    )
