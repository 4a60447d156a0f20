"""A learner: EXAMPLES to gradients for one model. It scores before it learns: every row validates."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from actors.background import BackgroundTask
from actors.connections import Connections, EndpointSettings
from actors.epochs import take_epoch
from actors.examples_follower import BatchingSettings, ExamplesFollower
from actors.parameter_client import ParameterClient
from learners.counter_increments import counter_increments
from learners.label_weights import is_positive
from learners.span_cutter import MiniBatch
from learners.training_settings import TrainingSettings
from learners.training_step import NonFiniteLossError, StepResult, TrainingStep
from messages.codec import pack
from messages.examples import HEADS, ExampleBatch
from messages.updates import COUNTERS_GROUP, Update
from monitoring.progressive_metrics import StreamingAuc

logger = logging.getLogger(__name__)


class LearnerSettings(BaseModel):
    """group: the model whose rows this learner moves."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    group: str = "production"
    batching: BatchingSettings = BatchingSettings()
    writes_counters: bool = False
    """In a replay the learner writes the counters too, in step with its reading: no row sees the future."""


class LearnerActor:
    """Starts to work when constructed."""

    def __init__(
        self,
        endpoints: EndpointSettings,
        client: ParameterClient,
        partitions: Sequence[int],
        training: TrainingSettings,
        settings: LearnerSettings,
    ) -> None:
        self._endpoints = endpoints
        self._client = client
        self._partitions = list(partitions)
        self._settings = settings
        self._step = TrainingStep(training)
        self._progress = LearnerProgress()
        self._task = BackgroundTask(f"learner-{settings.group}", self._run)
        self._task.start()

    def status(self) -> dict[str, Any]:
        """Say how far it is and how good: examples, progressive AUC and log loss by head."""
        return {
            "running": self._task.is_running,
            "failure": self._task.failure,
            **self._progress.report(),
        }

    def stop(self) -> None:
        self._task.stop()

    async def _run(self, stop: asyncio.Event) -> None:
        async with await Connections.open(self._endpoints, f"learner-{self._settings.group}") as connections:
            epoch = await take_epoch(connections, self._settings.group)
            if self._settings.writes_counters:
                counters_epoch = await take_epoch(connections, COUNTERS_GROUP)
            else:
                counters_epoch = 0
            follower = ExamplesFollower(
                connections.js,
                connections.namespace,
                self._client,
                self._settings.group,
                self._partitions,
                self._settings.batching,
            )
            await follower.reopen()
            while not stop.is_set():
                mini_batch = await follower.next()
                if mini_batch is None:
                    continue
                batch = mini_batch.batch()
                result = await self._train_or_quarantine(connections, mini_batch, batch)
                if self._settings.writes_counters:
                    await self._client.push(_counter_update(mini_batch, batch, counters_epoch))
                if await follower.push(mini_batch, self._update(mini_batch, batch, result, epoch)):
                    self._progress.learned(batch, result)

    async def _train_or_quarantine(
        self, connections: Connections, mini_batch: MiniBatch, batch: ExampleBatch
    ) -> StepResult | None:
        """Learn, or, where the numbers are none, record the spans for later and push them empty."""
        if not len(batch):
            return None
        try:
            return await self._train(batch)
        except NonFiniteLossError as error:
            self._progress.num_quarantined += len(batch)
            logger.error("quarantined %d examples: %s", len(batch), error)
            spans = {partition: [span.start, span.end] for partition, span in mini_batch.spans.items()}
            key = connections.namespace.key("quarantine", self._settings.group)
            await connections.redis.rpush(key, pack({"spans": spans, "reason": str(error)}))
            return None

    async def _train(self, batch: ExampleBatch) -> StepResult | None:
        request = self._step.pull_request(batch, self._settings.group)
        pulled = await self._client.pull(request)
        return self._step.run(batch, pulled.values, pulled.dense, pulled.counters)

    def _update(
        self, mini_batch: MiniBatch, batch: ExampleBatch, result: StepResult | None, epoch: int
    ) -> Update:
        if result is None:
            return Update(group=self._settings.group, epoch=epoch, spans=mini_batch.spans)
        return Update(
            group=self._settings.group,
            epoch=epoch,
            spans=mini_batch.spans,
            rows=result.rows,
            births=result.births,
            dense=result.dense,
            stream_time=float(batch.times.max()),
        )


def _counter_update(mini_batch: MiniBatch, batch: ExampleBatch, epoch: int) -> Update:
    return Update(
        group=COUNTERS_GROUP,
        epoch=epoch,
        spans=mini_batch.spans,
        counters=counter_increments(batch) if len(batch) else None,
        stream_time=float(batch.times.max(initial=0.0)),
    )


class LearnerProgress:
    """Progressive validation: what the model said of each row before it learned it."""

    def __init__(self) -> None:
        self._auc = {name: StreamingAuc() for name in HEADS}
        self._num_examples = 0
        self._num_batches = 0
        self.num_quarantined = 0
        self._started = time.monotonic()
        self._last_loss = float("nan")

    def learned(self, batch: ExampleBatch, result: StepResult | None) -> None:
        self._num_examples += len(batch)
        self._num_batches += 1
        if result is None or batch.joined is None:
            return
        self._last_loss = result.loss
        positive = is_positive(batch.joined.labels)
        for head, name in enumerate(HEADS):
            rows = result.trained[:, head]
            if rows.any():
                self._auc[name].add(result.probabilities[rows, head], positive[rows, head])

    def report(self) -> dict[str, Any]:
        elapsed = time.monotonic() - self._started
        return {
            "examples": self._num_examples,
            "batches": self._num_batches,
            "quarantined": self.num_quarantined,
            "examples_per_s": self._num_examples / elapsed if elapsed else 0.0,
            "loss": self._last_loss,
            "auc": {name: auc.value() for name, auc in self._auc.items()},
        }
