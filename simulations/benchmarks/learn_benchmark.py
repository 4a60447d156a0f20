"""How fast one core joins and learns, stage by stage, against the same model on plain arrays and against VW.

Everything here runs in this process; `system_rates.py` measures the same through broker, Ray and processes,
and its figures stand beside these.
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
from learners.features.schema import USER_SLOT
from learners.joiner import JoinerSettings, PartitionJoiner
from learners.ranking_model import slot_dimensions
from learners.span_cutter import ExamplesMessage, MiniBatch, SpanCutter
from learners.training_settings import TrainingSettings
from learners.training_step import TrainingStep
from messages.arrays import IdArray
from messages.examples import ExampleBatch
from messages.examples_header import ExamplesHeader
from messages.feed import FeedMessage
from messages.identifiers import keys_of
from messages.updates import COUNTERS_GROUP, Rows, Span, Update
from parameter_server.routing import ShardRouter, assign_buckets
from parameter_server.shard import ParameterShard
from simulations.benchmarks.learning_feed import LearningFeedSettings, feed_messages
from simulations.benchmarks.learning_peers import PlainModel, vw_rows_per_s
from simulations.benchmarks.system_rates import SystemRates

GROUP = "benchmark"
BATCH_ROWS = 256
_COST_PAIRS = 10_000

EncodedExamples = tuple[int, int, ExamplesHeader, bytes]


def run_learn_benchmark(
    settings: LearningFeedSettings,
    training: TrainingSettings,
    *,
    rates: SystemRates | None = None,
    many_users: int = 1_000_000,
) -> dict[str, Any]:
    """Return one flat dict: rates per second, ratios, milliseconds a step and the share of every stage.

    rates: as measured through the running parts, whose ratios then are reported too. many_users: with how
    many the cost of an example is compared.
    """
    stages = StageClock()
    feed = list(feed_messages(settings))
    encoded = join_feed(feed, settings.num_partitions, stages)
    joined_seconds = stages.total()
    learn_examples(encoded[: max(1, len(encoded) // 10)], training, settings.num_partitions, StageClock())
    learning = StageClock()
    num_examples = learn_examples(encoded, training, settings.num_partitions, learning)
    batches = [batch for _, batch in cut(encoded, settings.num_partitions)]
    in_memory = PlainModel(training, batches).examples_per_s()
    vw = vw_rows_per_s(batches)
    one_process = num_examples / learning.total()
    shares = StageClock.shares(stages, learning)
    report = {
        "pairs": settings.num_pairs,
        "users": settings.num_users,
        "examples": num_examples,
        "join_pairs_per_s": settings.num_pairs / joined_seconds,
        "one_process_examples_per_s": one_process,
        "one_process_feed_to_shard_per_s": num_examples / (joined_seconds + learning.total()),
        "in_memory_examples_per_s": in_memory,
        "one_process_vs_in_memory": one_process / in_memory,
        "step_ms": 1_000 * learning.seconds["train"] / len(batches),
        "vw_rows_per_s": vw,
        "one_process_vs_vw": None if vw is None else one_process / vw,
        "openblas_coretype": os.environ.get("OPENBLAS_CORETYPE", ""),
        "stages": ", ".join(
            f"{name} {share:.0%}" for name, share in sorted(shares.items(), key=lambda item: -item[1])
        ),
        **{f"stage_{name}_share": share for name, share in shares.items()},
        **cost_by_users(settings, training, many_users),
    }
    return report if rates is None else report | _through_system(rates, in_memory, vw)


def cost_by_users(
    settings: LearningFeedSettings, training: TrainingSettings, many_users: int
) -> dict[str, float | int]:
    """Return what an example costs where the table holds few users and where many, and their ratio."""
    cost = {}
    for name, users in (("few", settings.num_users), ("many", many_users)):
        feed = settings.model_copy(
            update={"num_users": users, "num_pairs": min(settings.num_pairs, _COST_PAIRS)}
        )
        encoded = join_feed(list(feed_messages(feed)), feed.num_partitions, StageClock())
        known = keys_of(f"u{user}" for user in range(users))
        clock = StageClock()
        learned = learn_examples(encoded, training, feed.num_partitions, clock, known_users=known)
        cost[name] = 1e6 * clock.total() / learned
    return {
        "users_many": many_users,
        "us_per_example": cost["few"],
        "us_per_example_many_users": cost["many"],
        "cost_many_vs_few_users": cost["many"] / cost["few"],
    }


def _through_system(rates: SystemRates, in_memory: float, vw: float | None) -> dict[str, Any]:
    return {
        "examples_per_s": rates.examples_per_s,
        "vs_in_memory": rates.examples_per_s / in_memory,
        "vs_vw": None if vw is None else rates.examples_per_s / vw,
        "joined_events_per_s": rates.joined_events_per_s,
        "feed_to_shard_events_per_s": rates.feed_to_shard_events_per_s,
        "event_to_shard_p50_ms": rates.latency.p50_ms,
        "event_to_shard_p95_ms": rates.latency.p95_ms,
        "event_to_shard_events": rates.latency.num_events,
        "accepted_events_per_s": rates.latency.accepted_per_s,
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
    encoded: list[EncodedExamples],
    training: TrainingSettings,
    num_partitions: int,
    stages: StageClock,
    *,
    known_users: IdArray | None = None,
) -> int:
    """Take EXAMPLES to the shards as a learner does, and return how many rows that were.

    known_users: keys of people who have a row before the clock starts, uint64 [n].
    """
    router = ShardRouter(assign_buckets(2))
    shards = {shard: ParameterShard(shard, router.buckets_of_shard(shard), GROUP) for shard in router.shards}
    for name, plan in (
        (GROUP, model_plan(training, num_partitions + 1)),
        (COUNTERS_GROUP, counters_plan(num_partitions)),
    ):
        for shard in shards.values():
            shard.create_group(name, plan.settings, plan.dense)
    step = TrainingStep(training)

    def push(update: Update) -> None:
        for shard, part in router.split_update(update).items():
            shards[shard].apply_update(part)

    if known_users is not None:
        values = np.zeros((len(known_users), slot_dimensions(training.model)[USER_SLOT]), dtype=np.float32)
        births = {USER_SLOT: Rows(known_users, values)}
        before = Span(0, 1, feed_position=0, watermark=0.0, examples=0)  # of a partition that sends nothing
        push(Update(GROUP, 1, {num_partitions: before}, births=births))
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
