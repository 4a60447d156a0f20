"""A learner over prepared mini-batches: a shard, the training step and the guard of the real one.

Where the batches come from is the caller's affair (a cache, an archive, a trial's file), and so is their
order: they are counted here, and real positions are set where a snapshot is written.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from actors.model_groups import model_plan
from learners.batch_updates import model_update
from learners.learning_guard import LearningGuard
from learners.skip_sampling import sample_skips
from learners.span_cutter import MiniBatch
from learners.step_result import StepResult
from learners.training_settings import TrainingSettings
from learners.training_step import TrainingStep
from messages.examples import ExampleBatch
from messages.identifiers import NUM_BUCKETS
from messages.updates import Rows, Span, Update, UpdateOutcome
from parameter_server.shard import ParameterShard


class IdMapping(Protocol):
    """Puts other ids in the place of ids before rows are looked up: a hashing trick."""

    def batch(self, batch: ExampleBatch) -> ExampleBatch: ...

    def births(self, births: Mapping[str, Rows]) -> dict[str, Rows]: ...


class BatchLearner:
    """shard: holds all buckets. num_rows: joined rows learned. num_quarantined: joined rows kept out."""

    def __init__(
        self,
        training: TrainingSettings,
        *,
        group: str = "production",
        num_partitions: int = 1,
        mapping: IdMapping | None = None,
    ) -> None:
        self.group = group
        self.shard = ParameterShard(0, np.arange(NUM_BUCKETS), "batches")
        self.num_rows = 0
        self.num_quarantined = 0
        plan = model_plan(training, num_partitions)
        self.shard.create_group(group, plan.settings, plan.dense)
        self._training = training
        self._mapping = mapping
        self._step = TrainingStep(training)
        self._guard = LearningGuard(training.guard)
        self._num_updates = 0

    def score(self, batch: ExampleBatch) -> StepResult:
        """Say what the model thinks of a batch as it stands; nothing changes."""
        return self._run(self._mapped(batch))

    def learn(self, batch: ExampleBatch) -> StepResult:
        """Score a batch whose features are complete, then learn from it, unless the guard keeps it out.

        Raises NonFiniteLossError.
        """
        batch = sample_skips(self._mapped(batch), self._training.skip_keep_rate)
        result = self._run(batch)
        num_joined = len(result.probabilities)
        if not self._guard.judge(result.loss, num_joined).keep:
            self.num_quarantined += num_joined
            return result
        scale = self._guard.learning_rate_scale
        update = model_update(self.group, 1, self._next(len(batch)), batch, result, scale)
        self._push(update, result.births)
        if num_joined:
            self._guard.learned(result.loss, num_joined, float(batch.times.max()))
        self.num_rows += num_joined
        return result

    def give_birth(self, births: Mapping[str, Rows]) -> None:
        """Begin rows that do not exist yet with these values."""
        self._push(Update(self.group, 1, self._next(0).spans), births)

    def num_table_rows(self) -> dict[str, int]:
        """Return how many rows each slot has."""
        return {slot: len(table) for slot, table in self.shard.group(self.group).tables.items()}

    def _mapped(self, batch: ExampleBatch) -> ExampleBatch:
        return batch if self._mapping is None else self._mapping.batch(batch)

    def _run(self, batch: ExampleBatch) -> StepResult:
        pulled = self.shard.pull(self._step.pull_request(batch, self.group))
        return self._step.run(batch, pulled.values, pulled.dense, None)

    def _next(self, num_rows: int) -> MiniBatch:
        """Return an empty mini-batch that covers the next number of partition 0."""
        self._num_updates += 1
        end = self._num_updates
        return MiniBatch([], {0: Span(end - 1, end, feed_position=end, watermark=0.0, examples=num_rows)})

    def _push(self, update: Update, births: Mapping[str, Rows]) -> None:
        births = births if self._mapping is None else self._mapping.births(births)
        outcome = self.shard.apply_update(dataclasses.replace(update, births=births)).outcome
        if outcome is not UpdateOutcome.APPLIED:
            raise RuntimeError(f"the only writer of {self.group} is told {outcome}")
