"""Measures in one process what a mini-batch costs a learner and each shard, in processor time: whatever else
the machine does meanwhile does not count."""

from __future__ import annotations

import time

import numpy as np

from learners.joiner import JoinerSettings
from learners.training_settings import TrainingSettings
from messages.arrays import IntArray
from messages.feed import FeedMessage
from messages.updates import COUNTERS_GROUP, PullReply, PullRequest, Update, UpdateReply
from parameter_server.routing import assign_buckets
from parameter_server.shard import ParameterShard
from simulations.experiments.scaling_model import LearningCosts
from simulations.in_process_learner import InProcessLearner
from simulations.in_process_streams import InProcessStreams
from simulations.replay_log import ReplayLog

_BATCH_ROWS = 256
_WARM_BATCHES = 20


class TimedShard(ParameterShard):
    """A shard that knows how long its last calls took. Updates of counters are another worker's and are kept
    apart."""

    def __init__(self, shard_id: int, buckets: IntArray) -> None:
        super().__init__(shard_id, buckets, "measured")
        self.seconds = {"pull": 0.0, "push": 0.0, "counters": 0.0}

    def pull(self, request: PullRequest) -> PullReply:
        began = time.thread_time()
        reply = super().pull(request)
        self.seconds["pull"] += time.thread_time() - began
        return reply

    def apply_update(self, update: Update) -> UpdateReply:
        began = time.thread_time()
        reply = super().apply_update(update)
        stage = "counters" if update.group == COUNTERS_GROUP else "push"
        self.seconds[stage] += time.thread_time() - began
        return reply

    def take(self) -> dict[str, float]:
        """Return the seconds since the last call of this."""
        taken, self.seconds = self.seconds, dict.fromkeys(self.seconds, 0.0)
        return taken


def measure_learning(
    log: ReplayLog, joiner: JoinerSettings, training: TrainingSettings, num_shards: int
) -> LearningCosts:
    """Learn a log, a mini-batch at a time, and return what each cost. The first few are not counted."""
    buckets = assign_buckets(num_shards)
    shards = {shard: TimedShard(shard, np.flatnonzero(buckets == shard)) for shard in range(num_shards)}
    learner = InProcessLearner(
        training,
        num_partitions=joiner.num_partitions,
        num_shards=num_shards,
        max_rows=_BATCH_ROWS,
        learning=True,
        restored=shards,
    )
    streams = InProcessStreams(joiner)
    own, pull, push, rows = [], [], [], []
    for window in log.windows():
        for partition, message in window.messages:
            streams.append(partition, FeedMessage.decode(message.encode()), window.last_time)
        for appended in streams.join():
            learner.add(appended)
        began = time.thread_time()
        num_rows = sum(len(batch) for batch, _ in learner.learn(in_time_order=True))
        elapsed = time.thread_time() - began
        taken = [shard.take() for shard in shards.values()]
        if num_rows:
            own.append(elapsed - sum(sum(seconds.values()) for seconds in taken))
            pull.append([seconds["pull"] for seconds in taken])
            push.append([seconds["push"] for seconds in taken])
            rows.append(float(num_rows))
    kept = slice(min(_WARM_BATCHES, len(own) - 1), None)
    return LearningCosts(*(np.array(values[kept], dtype=np.float64) for values in (own, pull, push, rows)))
