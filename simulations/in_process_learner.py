"""The parameter server and one learner without actors: the same objects, called instead of sent to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from actors.delta_assembly import merge_shard_deltas
from actors.model_groups import counters_plan, model_plan
from learners.batch_updates import counter_update, model_update
from learners.features.schema import USER_SLOT
from learners.learning_guard import LearningGuard
from learners.skip_sampling import sample_skips
from learners.span_cutter import ExamplesMessage, SpanCutter
from learners.step_result import StepResult
from learners.training_settings import TrainingSettings
from learners.training_step import TrainingStep
from messages.content import ContentColumns, ContentFacts
from messages.examples import ExampleBatch
from messages.impressions import ModelVersion
from messages.updates import COUNTERS_GROUP, ModelDelta, PullRequest, Rows, Update, UpdateOutcome
from parameter_server.routing import MergedPull, ShardRouter, assign_buckets
from parameter_server.shard import ParameterShard

MODEL_GROUP = "in-process"
_LINEAGE = "a"
_FIRST_EPOCH = 1


class InProcessLearner:
    """Shards, the cutter of mini-batches, and the training step.

    learning: False leaves the model as it began; the content counters move all the same, as they do in a
    system whose learner is down. restored: shards that go on where they stand, for an owner of this epoch;
    new ones where left out.
    """

    def __init__(
        self,
        training: TrainingSettings,
        *,
        num_partitions: int,
        num_shards: int,
        max_rows: int,
        learning: bool,
        group: str = MODEL_GROUP,
        restored: Mapping[int, ParameterShard] | None = None,
        epoch: int = _FIRST_EPOCH,
    ) -> None:
        self.learning = learning
        self._group = group
        self._epoch = epoch
        self._max_rows = max_rows
        self._router = ShardRouter(assign_buckets(num_shards))
        self.shards = dict(restored or {}) or {
            shard: ParameterShard(shard, self._router.buckets_of_shard(shard), MODEL_GROUP)
            for shard in self._router.shards
        }
        for name, plan in (
            (group, model_plan(training, num_partitions)),
            (COUNTERS_GROUP, counters_plan(num_partitions)),
        ):
            for host in self.shards.values():
                host.create_group(name, plan.settings, plan.dense)
        self._training = training
        self._step = TrainingStep(training)
        self._guard = LearningGuard(training.guard)
        standing = [
            host.positions(name).examples for host in self.shards.values() for name in host.group_names()
        ]
        self._cutter = SpanCutter(
            {partition: np.concatenate(standing)[:, partition] for partition in range(num_partitions)}
        )
        self._cursors: dict[tuple[int, str], int] = {}
        self._version = -1

    @property
    def start_sequence(self) -> int:
        """The first sequence of EXAMPLES that is wanted."""
        return self._cutter.start_sequence

    def add(self, message: ExamplesMessage) -> None:
        """Take in the next message of EXAMPLES."""
        self._cutter.add(message)

    def learn(self, *, in_time_order: bool) -> list[tuple[ExampleBatch, StepResult | None]]:
        """Train on everything that may be trained on now; return each mini-batch with what came of it.

        A mini-batch is scored, and its counter features computed, with weights and counters as of the batch
        before: its own increments are pushed after.
        """
        learned: list[tuple[ExampleBatch, StepResult | None]] = []
        while True:
            cut = self._cutter.cut_in_time_order if in_time_order else self._cutter.cut
            mini_batch = cut(self._max_rows)
            if mini_batch is None:
                return learned
            batch = mini_batch.batch()
            result = self._train(batch) if self.learning and len(batch) else None
            self._push(counter_update(self._epoch, mini_batch, batch))
            scale = self._guard.learning_rate_scale
            self._push(model_update(self._group, self._epoch, mini_batch, batch, result, scale))
            self._cutter.done(mini_batch)
            if result is not None and len(result.probabilities):
                self._guard.learned(result.loss, len(result.probabilities), float(batch.times.max()))
            learned.append((batch, result))

    def predict(self, batch: ExampleBatch) -> StepResult:
        """Score a batch with what is learned by now, and learn nothing of it."""
        pulled = self._pull(self._step.pull_request(batch, self._group))
        return self._step.run(batch, pulled.values, pulled.dense, pulled.counters)

    def changes(
        self,
        contents: Sequence[ContentFacts],
        created_at: float,
        *,
        with_weights: bool = True,
        with_counters: bool = True,
    ) -> tuple[ModelDelta, dict[str, Rows]]:
        """Return what changed since the last call, for the replica, and the user rows, for the store.

        with_weights, with_counters: False leaves the model's changes, or the counters', for a later call.
        """
        groups = [self._group] * with_weights + [COUNTERS_GROUP] * with_counters
        deltas = []
        for shard, host in self.shards.items():
            for group in groups:
                delta = host.deltas_since(group, self._cursors.get((shard, group), -1), host.incarnation)
                self._cursors[shard, group] = delta.to_version
                deltas.append((shard, delta))
        previous = self._version
        self._version += 1
        return merge_shard_deltas(
            deltas,
            user_slots=(USER_SLOT,),
            full=previous < 0,
            version=ModelVersion(self._group, _LINEAGE, self._version),
            previous=previous,
            contents=ContentColumns.of(contents) if contents else None,
            removed_contents=np.empty(0, dtype=np.uint64),
            created_at=created_at,
        )

    def _train(self, batch: ExampleBatch) -> StepResult | None:
        """None for a batch that is quarantined. Raises NonFiniteLossError: here nobody replays it later."""
        batch = sample_skips(batch, self._training.skip_keep_rate)
        result = self.predict(batch)
        num_joined = 0 if batch.joined is None else len(batch.joined)
        return result if self._guard.judge(result.loss, num_joined).keep else None

    def _pull(self, request: PullRequest) -> MergedPull:
        parts = self._router.split_pull(request)
        replies = {shard: self.shards[shard].pull(part) for shard, part in parts.items()}
        return self._router.merge_pull(request, replies)

    def _push(self, update: Update) -> None:
        for shard, part in self._router.split_update(update).items():
            outcome = self.shards[shard].apply_update(part).outcome
            if outcome not in (UpdateOutcome.APPLIED, UpdateOutcome.DUPLICATE):
                raise RuntimeError(f"shard {shard} answered {outcome} to the only writer of {update.group}")
