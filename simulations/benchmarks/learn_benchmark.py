"""How fast one core joins and learns, stage by stage, against the same model on plain arrays and against VW.

Everything runs in this process: what broker, Ray and processes add is the difference to what a running system
reports, and `through_system` puts that figure beside these.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from actors.model_groups import counters_plan, model_plan
from learners.batch_updates import counter_update, model_update
from learners.joiner import JoinerSettings, PartitionJoiner
from learners.span_cutter import ExamplesMessage, MiniBatch, SpanCutter
from learners.training_settings import TrainingSettings
from learners.training_step import TrainingStep
from messages.examples import ExampleBatch, ExamplesHeader
from messages.feed import FeedMessage
from messages.updates import COUNTERS_GROUP, Update
from parameter_server.routing import ShardRouter, assign_buckets
from parameter_server.shard import ParameterShard
from simulations.benchmarks.learning_feed import LearningFeedSettings, feed_messages
from simulations.benchmarks.learning_peers import PlainModel, vw_rows_per_s

GROUP = "benchmark"
BATCH_ROWS = 256

EncodedExamples = tuple[int, int, ExamplesHeader, bytes]


def run_learn_benchmark(
    settings: LearningFeedSettings,
    training: TrainingSettings,
    *,
    through_system_examples_per_s: float | None = None,
) -> dict[str, Any]:
    """Return one flat dict: rates per second, ratios, milliseconds a step and the share of every stage."""
    stages = StageClock()
    feed = list(feed_messages(settings))
    encoded = join_feed(feed, settings.num_partitions, stages)
    joined_seconds = stages.total()
    learn_examples(encoded[: max(1, len(encoded) // 10)], training, settings.num_partitions, StageClock())
    learning = StageClock()
    num_examples = learn_examples(encoded, training, settings.num_partitions, learning)
    batches = [batch for _, batch in cut(encoded, settings.num_partitions)]
    in_memory = PlainModel(training, batches).examples_per_s()
    examples_per_s = num_examples / learning.total()
    measured = through_system_examples_per_s
    return {
        "pairs": settings.num_pairs,
        "users": settings.num_users,
        "examples": num_examples,
        "join_pairs_per_s": settings.num_pairs / joined_seconds,
        "examples_per_s": examples_per_s,
        "feed_to_shard_examples_per_s": num_examples / (joined_seconds + learning.total()),
        "in_memory_examples_per_s": in_memory,
        "one_process_vs_in_memory": examples_per_s / in_memory,
        "vs_in_memory": None if measured is None else measured / in_memory,
        "step_ms": 1_000 * learning.seconds["train"] / len(batches),
        "vw_rows_per_s": (vw := vw_rows_per_s(batches)),
        "vs_vw": None if vw is None else examples_per_s / vw,
        "openblas_coretype": os.environ.get("OPENBLAS_CORETYPE", ""),
        **{f"stage_{name}_share": share for name, share in StageClock.shares(stages, learning).items()},
    }


def join_feed(
    feed: list[tuple[int, float, bytes]], num_partitions: int, stages: StageClock
) -> list[EncodedExamples]:
    """Take FEED messages to encoded EXAMPLES messages, a release each, as a busy joiner does."""
    joiners = [
        PartitionJoiner(partition, JoinerSettings(num_partitions=num_partitions), "benchmark")
        for partition in range(num_partitions)
    ]
    states: dict[str, tuple[bytes | None, bytes | None]] = {}
    previous = [0] * num_partitions
    encoded: list[EncodedExamples] = []
    for sequence, (partition, append_time, data) in enumerate(feed, start=1):
        joiner = joiners[partition]
        with stages("feed_decode"):
            message = FeedMessage.decode(data)
        with stages("join"):
            joiner.load_users(
                {user: states.get(user, (None, None)) for user in joiner.missing_users(message)}
            )
            joiner.accept(message, position=sequence, append_time=append_time)
        with stages("release"):
            release = joiner.release()
        assert release is not None
        states.update(release.states)
        with stages("examples_encode"):
            encoded.append((partition, sequence, release.header(previous[partition]), release.batch.encode()))
        previous[partition] = sequence
    return encoded


def cut(
    encoded: list[EncodedExamples], num_partitions: int, stages: StageClock | None = None
) -> Iterator[tuple[MiniBatch, ExampleBatch]]:
    """Yield mini-batches of at least BATCH_ROWS rows."""
    stages = stages or StageClock()
    cutter = SpanCutter({partition: np.zeros(1, dtype=np.int64) for partition in range(num_partitions)})
    rows = 0
    for last, (partition, sequence, header, data) in _marking_last(encoded):
        with stages("examples_decode"):
            batch = ExampleBatch.decode(data)
        cutter.add(ExamplesMessage(partition, sequence, header, batch))
        rows += len(batch)
        while rows >= BATCH_ROWS or (last and rows):
            mini_batch = cutter.cut(BATCH_ROWS)
            assert mini_batch is not None
            rows -= mini_batch.num_rows
            yield mini_batch, mini_batch.batch()
            cutter.done(mini_batch)


def learn_examples(
    encoded: list[EncodedExamples], training: TrainingSettings, num_partitions: int, stages: StageClock
) -> int:
    """Take EXAMPLES to the shards as a learner does, and return how many rows that were."""
    router = ShardRouter(assign_buckets(2))
    shards = {shard: ParameterShard(shard, router.buckets_of_shard(shard), GROUP) for shard in router.shards}
    for name, plan in (
        (GROUP, model_plan(training, num_partitions)),
        (COUNTERS_GROUP, counters_plan(num_partitions)),
    ):
        for shard in shards.values():
            shard.create_group(name, plan.settings, plan.dense)
    step = TrainingStep(training)

    def push(update: Update) -> None:
        for shard, part in router.split_update(update).items():
            shards[shard].apply_update(part)

    num_rows = 0
    for mini_batch, batch in cut(encoded, num_partitions, stages):
        with stages("pull"):
            request = step.pull_request(batch, GROUP)
            parts = router.split_pull(request)
            pulled = router.merge_pull(request, {at: shards[at].pull(part) for at, part in parts.items()})
        with stages("train"):
            result = step.run(batch, pulled.values, pulled.dense, pulled.counters)
        with stages("push"):
            push(counter_update(1, mini_batch, batch))
            push(model_update(GROUP, 1, mini_batch, batch, result))
        num_rows += len(batch)
    return num_rows


class StageClock:
    """Adds up the time spent in each stage. seconds: by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - started

    def total(self) -> float:
        return sum(self.seconds.values())

    @staticmethod
    def shares(*clocks: StageClock) -> dict[str, float]:
        total = sum(clock.total() for clock in clocks)
        return {stage: seconds / total for clock in clocks for stage, seconds in clock.seconds.items()}


def _marking_last(encoded: list[EncodedExamples]) -> Iterator[tuple[bool, EncodedExamples]]:
    for item, following in itertools.zip_longest(encoded, encoded[1:]):
        yield following is None, item
