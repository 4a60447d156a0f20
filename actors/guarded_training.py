"""From a mini-batch to what is pushed: trained, or set aside by the guard, together with what was let in."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from actors.admissions import Admissions
from actors.parameter_client import ParameterClient
from actors.quarantine_store import QuarantineStore
from actors.stream_reader import StreamTrimmedError
from learners.learning_guard import LearningGuard
from learners.skip_sampling import sample_skips
from learners.span_cutter import MiniBatch
from learners.step_result import NonFiniteLossError, StepResult
from messages.examples import ExampleBatch
from messages.updates import PullRequest
from parameter_server.routing import MergedPull

if TYPE_CHECKING:
    from learners.training_step import TrainingStep

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Lesson:
    """A mini-batch to learn.

    sampled: its rows but for skips that are left out. request: what they read, None where there are no rows.
    pulled: the answer, where it came with the push before.
    """

    mini_batch: MiniBatch
    batch: ExampleBatch
    sampled: ExampleBatch
    request: PullRequest | None
    pulled: MergedPull | None = None


class GuardedTraining:
    """One group's training, for the time of one share. Pushes nothing."""

    def __init__(
        self,
        group: str,
        client: ParameterClient,
        step: TrainingStep,
        skip_keep_rate: float,
        guard: LearningGuard,
        quarantine: QuarantineStore,
        admissions: Admissions,
        tell: Callable[[ExampleBatch, StepResult], Awaitable[None]],
    ) -> None:
        """tell: is called with every row that was scored, also of batches that are set aside then."""
        self._group = group
        self._client = client
        self._step = step
        self._skip_keep_rate = skip_keep_rate
        self._guard = guard
        self._quarantine = quarantine
        self._admissions = admissions
        self._tell = tell

    def lesson(self, mini_batch: MiniBatch) -> Lesson:
        batch = mini_batch.batch()
        sampled, request = self._sampled(batch)
        return Lesson(mini_batch, batch, sampled, request if len(batch) else None)

    async def train(self, lesson: Lesson) -> StepResult | None:
        """Return what is learned; None for nothing: no rows, or a batch whose spans are kept for later."""
        if lesson.request is None:
            return None
        num_joined = 0 if lesson.sampled.joined is None else len(lesson.sampled.joined)
        try:
            result = await self._train(lesson.sampled, lesson.request, lesson.pulled)
        except NonFiniteLossError as error:
            verdict = self._guard.refused(str(error), num_joined)
        else:
            await self._tell(lesson.sampled, result)
            verdict = self._guard.judge(result.loss, num_joined)
            if verdict.keep:
                return result
        logger.error("quarantined %d examples: %s", len(lesson.batch), verdict.reason)
        await self._quarantine.put_aside(lesson.mini_batch.spans, verdict.reason, len(lesson.batch))
        return None

    async def train_admitted(
        self, lesson: Lesson, result: StepResult | None, *, may_bind: bool
    ) -> StepResult | None:
        """Train what was let in with the lesson's spans together with its batch, if that is learned, and
        unjudged: somebody has looked at it. result: of the batch alone. may_bind: see `Admissions`."""
        batch = lesson.batch
        for entry in await self._admissions.coming_with(lesson.mini_batch.spans, may_bind=may_bind):
            try:
                admitted = await self._admissions.batch_of(entry)
                together = ExampleBatch.concatenate([batch, admitted]) if result is not None else admitted
                result, batch = await self._train(*self._sampled(together)), together
            except (NonFiniteLossError, StreamTrimmedError) as error:
                logger.error("entry %d of the quarantine cannot be let in: %s", entry.number, error)
                await self._admissions.refuse(entry, str(error))
            else:
                logger.warning("entry %d of the quarantine is let in: %s", entry.number, entry.reason)
        return result

    async def learned(self, lesson: Lesson) -> None:
        """Every bucket holds the lesson now."""
        await self._admissions.learned(lesson.mini_batch.spans)

    def _sampled(self, batch: ExampleBatch) -> tuple[ExampleBatch, PullRequest]:
        sampled = sample_skips(batch, self._skip_keep_rate)
        return sampled, self._step.pull_request(sampled, self._group)

    async def _train(
        self, sampled: ExampleBatch, request: PullRequest, pulled: MergedPull | None = None
    ) -> StepResult:
        """Raises NonFiniteLossError. pulled: what the request asks for, where it was read already."""
        if pulled is None:
            pulled = await self._client.pull(request)
        return self._step.run(sampled, pulled.values, pulled.dense, pulled.counters)
