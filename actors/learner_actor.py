"""A learner: EXAMPLES to gradients for one model. It scores before it learns: every row validates."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nats.errors import Error as NatsError
from pydantic import BaseModel, ConfigDict

from actors.admissions import Admissions
from actors.background import BackgroundTask
from actors.collector_pacing import pace_collector
from actors.connections import Connections, EndpointSettings
from actors.crews import CrewMember, Share
from actors.epochs import OvertakenError, take_epoch
from actors.examples_follower import (
    NEEDS_OPERATOR,
    BatchingSettings,
    ExamplesFollower,
    OwnershipLostError,
)
from actors.learner_progress import LearnerProgress
from actors.parameter_client import ParameterClient
from actors.quarantine_store import QuarantineStore
from actors.streams import StreamTrimmedError, stream_incarnation
from learners.batch_updates import counter_update, model_update
from learners.learning_guard import LearningGuard
from learners.skip_sampling import sample_skips
from learners.span_cutter import MiniBatch
from learners.training_settings import TrainingSettings
from messages.examples import ExampleBatch
from messages.promises import Promises
from messages.updates import COUNTERS_GROUP, Span

if TYPE_CHECKING:
    from learners.training_step import StepResult

logger = logging.getLogger(__name__)


class LearnerSettings(BaseModel):
    """group: the model whose rows this learner moves. member: of the group's crew of learners, from 0."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    group: str = "production"
    member: int = 0
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
        self._crew = CrewMember("learners", settings.group, settings.member, partitions)
        self._settings = settings
        self._training = training
        from learners.training_step import TrainingStep  # torch: only where a learner runs, not who starts it

        self._step = TrainingStep(training)
        self._guard = LearningGuard(training.guard)
        self._progress = LearnerProgress()
        self._counters_epoch = 0
        self._follower: ExamplesFollower | None = None
        self._task = BackgroundTask(f"learner-{settings.group}", self._run, stays_down=NEEDS_OPERATOR)
        pace_collector()
        self._task.start()

    def status(self) -> dict[str, Any]:
        """Say how far it is and how good: examples, progressive AUC and log loss by head."""
        return {
            "running": self._task.is_running,
            "failure": self._task.failure or (self._follower and self._follower.waiting_for),
            "restarts": self._task.num_restarts,
            **self._progress.report(),
            **self._guard.report(),
        }

    def stop(self) -> None:
        self._task.stop()

    async def _run(self, stop: asyncio.Event) -> None:
        async with await Connections.open(self._endpoints, f"learner-{self._settings.group}") as connections:
            if self._settings.writes_counters:
                held = self._counters_epoch
                self._counters_epoch = await take_epoch(connections, COUNTERS_GROUP, held)
            while not stop.is_set():
                share = await self._crew.take(connections)
                try:
                    await self._learn(connections, share, stop)
                except (OvertakenError, OwnershipLostError):
                    if not await self._crew.is_over(connections, share, now=True):
                        raise

    async def _learn(self, connections: Connections, share: Share, stop: asyncio.Event) -> None:
        """Learn a share's partitions until stopped, or until the crew is another one."""
        namespace = connections.namespace
        self._follower = follower = ExamplesFollower(
            connections.js,
            namespace,
            self._client,
            self._settings.group,
            share.partitions,
            self._settings.batching,
            await stream_incarnation(connections.js, connections.redis, namespace, namespace.examples_stream),
        )
        quarantine = QuarantineStore(connections, self._settings.group)
        admissions = Admissions(connections, quarantine, share.epoch)
        if not share.partitions:
            await self._crew.wait_for_another(connections, share, stop)
            return
        await follower.reopen()
        try:
            while not stop.is_set() and not await self._crew.is_over(connections, share):
                await self._learn_next(connections, share, follower, quarantine, admissions)
        finally:
            await follower.close()

    async def _learn_next(
        self,
        connections: Connections,
        share: Share,
        follower: ExamplesFollower,
        quarantine: QuarantineStore,
        admissions: Admissions,
    ) -> None:
        mini_batch = await follower.next()
        if mini_batch is None:
            return
        batch = mini_batch.batch()
        agree = follower.buckets_agree
        result = await self._train_or_quarantine(connections, quarantine, mini_batch, batch)
        pushed = await self._train_admitted(admissions, mini_batch.spans, batch, result, may_bind=agree)
        if self._settings.writes_counters:
            await self._client.push(counter_update(self._counters_epoch, mini_batch, batch))
        update = model_update(
            self._settings.group,
            share.epoch,
            mini_batch,
            batch,
            pushed,
            self._guard.learning_rate_scale,
        )
        if await follower.push(mini_batch, update):
            await admissions.learned(mini_batch.spans)
            self._learned(batch, result)

    async def _train_or_quarantine(
        self,
        connections: Connections,
        quarantine: QuarantineStore,
        mini_batch: MiniBatch,
        batch: ExampleBatch,
    ) -> StepResult | None:
        """Return what to push; None for nothing: no rows, or a batch whose spans were recorded for later."""
        from learners.training_step import NonFiniteLossError

        if not len(batch):
            return None
        sampled = sample_skips(batch, self._training.skip_keep_rate)
        num_joined = 0 if sampled.joined is None else len(sampled.joined)
        try:
            result = await self._train(sampled)
        except NonFiniteLossError as error:
            verdict = self._guard.refused(str(error), num_joined)
        else:
            await self._tell(connections, sampled, result)
            verdict = self._guard.judge(result.loss, num_joined)
            if verdict.keep:
                return result
        logger.error("quarantined %d examples: %s", len(batch), verdict.reason)
        await quarantine.put_aside(mini_batch.spans, verdict.reason, len(batch))
        return None

    async def _train_admitted(
        self,
        admissions: Admissions,
        spans: Mapping[int, Span],
        batch: ExampleBatch,
        result: StepResult | None,
        *,
        may_bind: bool,
    ) -> StepResult | None:
        """Train what was let in with these spans together with the batch, if that is learned, and unjudged:
        somebody has looked at it. result: of the batch alone."""
        from learners.training_step import NonFiniteLossError

        for entry in await admissions.coming_with(spans, may_bind=may_bind):
            try:
                admitted = await admissions.batch_of(entry)
                together = ExampleBatch.concatenate([batch, admitted]) if result is not None else admitted
                sampled = sample_skips(together, self._training.skip_keep_rate)
                result, batch = await self._train(sampled), together
            except (NonFiniteLossError, StreamTrimmedError) as error:
                logger.error("entry %d of the quarantine cannot be let in: %s", entry.number, error)
                await admissions.refuse(entry, str(error))
            else:
                logger.warning("entry %d of the quarantine is let in: %s", entry.number, entry.reason)
        return result

    async def _train(self, sampled: ExampleBatch) -> StepResult:
        """Raises NonFiniteLossError."""
        pulled = await self._client.pull(self._step.pull_request(sampled, self._settings.group))
        return self._step.run(sampled, pulled.values, pulled.dense, pulled.counters)

    async def _tell(self, connections: Connections, batch: ExampleBatch, result: StepResult) -> None:
        """Say what the model promised of these rows, also of those that are quarantined then: who compares
        models hears it. Nothing is lost for learning where nobody does; of a replay nobody does."""
        if self._settings.writes_counters or not len(result.probabilities):
            return
        promises = Promises.of(self._settings.group, batch, result.probabilities)
        try:
            await connections.nats.publish(connections.namespace.promises_subject, promises.encode())
        except NatsError as error:
            logger.warning("promises of %d rows cannot be told: %s", len(promises), error)

    def _learned(self, batch: ExampleBatch, result: StepResult | None) -> None:
        self._progress.learned(batch, result)
        if result is not None and len(result.probabilities):
            self._guard.learned(result.loss, len(result.probabilities), float(batch.times.max()))
