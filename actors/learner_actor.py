"""A learner: EXAMPLES to gradients for one model. It scores before it learns: every row validates."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from nats.errors import Error as NatsError
from pydantic import BaseModel, ConfigDict

from actors.admissions import Admissions
from actors.awaited_counters import AwaitedCounters
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
from actors.guarded_training import GuardedTraining, Lesson
from actors.learner_progress import LearnerProgress
from actors.parameter_client import ParameterClient
from actors.quarantine_store import QuarantineStore
from actors.stream_reader import stream_incarnation
from learners.batch_updates import counter_update, model_update
from learners.learning_guard import LearningGuard
from learners.step_result import StepResult
from learners.training_settings import TrainingSettings
from messages.examples import ExampleBatch
from messages.promises import Promises
from messages.updates import COUNTERS_GROUP

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
        self._counters = AwaitedCounters(client, are_own=settings.writes_counters)
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
            connections.nats,
            namespace,
            self._client,
            self._settings.group,
            share.partitions,
            self._settings.batching,
            await stream_incarnation(connections.js, connections.redis, namespace, namespace.examples_stream),
        )
        quarantine = QuarantineStore(connections, self._settings.group)
        training = GuardedTraining(
            self._settings.group,
            self._client,
            self._step,
            self._training.skip_keep_rate,
            self._guard,
            quarantine,
            Admissions(connections, quarantine, share.epoch),
            functools.partial(self._tell, connections),
        )
        if not share.partitions:
            await self._crew.wait_for_another(connections, share, stop)
            return
        await follower.reopen()
        lesson: Lesson | None = None
        try:
            while not stop.is_set() and not await self._crew.is_over(connections, share):
                if lesson is None:
                    mini_batch = await follower.next()
                    lesson = None if mini_batch is None else training.lesson(mini_batch)
                if lesson is None:
                    continue
                if await self._counters.know(lesson.mini_batch.spans, lesson.request):
                    lesson = await self._learn_one(lesson, share, follower, training)
        finally:
            await follower.close()

    async def _learn_one(
        self, lesson: Lesson, share: Share, follower: ExamplesFollower, training: GuardedTraining
    ) -> Lesson | None:
        """Learn a mini-batch and return the next, if one waits already: what that reads, as this one leaves
        it, comes with the answer to the push, unless it has to wait for counters."""
        mini_batch, batch = lesson.mini_batch, lesson.batch
        agree = follower.buckets_agree
        result = await training.train(lesson)
        taught = await training.train_admitted(lesson, result, may_bind=agree)
        if self._settings.writes_counters:
            await self._client.push(counter_update(self._counters_epoch, mini_batch, batch))
        update = model_update(
            self._settings.group,
            share.epoch,
            mini_batch,
            batch,
            taught,
            self._guard.learning_rate_scale,
        )
        next_batch = follower.next_after(mini_batch)
        following = None if next_batch is None else training.lesson(next_batch)
        request = None
        if following is not None and not self._counters.must_wait(
            following.mini_batch.spans, following.request
        ):
            request = following.request
        try:
            pushed = await follower.push(mini_batch, update, request)
        except OwnershipLostError as error:
            if error.is_somewhere:
                self._learned(batch, result)
            raise
        if pushed.is_somewhere:
            self._learned(batch, result)
        if not pushed.is_held:
            return None
        await training.learned(lesson)
        return None if following is None else replace(following, pulled=pushed.pulled)

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
