"""What waiting costs: Monolith's Table 2 (arXiv 2209.07663, section 4.2), again, on any EXAMPLES stream.

Learning goes on all the while; serving has the weights of the last sync. Features, counters among them, are
as they were at each row's moment, since they are streamed and not synced. Learning does not depend on what is
served here, so one pass of learning is enough: at each sync of an interval all rows up to its next one are
scored with the weights as they stand.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from learners.training_settings import TrainingSettings
from messages.arrays import IntArray
from messages.examples import ExampleBatch
from simulations.batch_learner import BatchLearner
from simulations.experiments.comparison import Comparison
from simulations.experiments.example_sources import ExampleSource, Say
from simulations.experiments.progressive_auc import AucCurve, ProgressiveAuc
from simulations.experiments.seeded_training import with_seed
from simulations.prepared_examples import read_batches

AT_ONCE = "at_once"
SYNC_INTERVALS: dict[str, float] = {"30min": 1_800.0, "1h": 3_600.0, "5h": 18_000.0, "24h": 86_400.0}
"""Seconds of the stream's time. The first three are Monolith's."""


def compare_sync_intervals(
    source: ExampleSource,
    training: TrainingSettings,
    *,
    seeds: Sequence[int],
    intervals: dict[str, float] = SYNC_INTERVALS,
    say: Say = lambda _: None,
) -> Comparison:
    """Learn every seed's stream once, and score it with the weights that each interval would serve.

    What is at once here is once a mini-batch: its time in the stream is the reference's `interval_seconds`,
    and no shorter interval can be told from it.
    """
    curves: dict[str, list[AucCurve]] = {name: [] for name in (AT_ONCE, *intervals)}
    batch_seconds: list[float] = []
    for seed in seeds:
        batches = read_batches(source.prepare(seed))
        say(f"{source.name}, seed {seed}: {len(batches):,} mini-batches")
        batch_seconds += np.diff([float(batch.times.max()) for batch in batches]).tolist()
        for name, curve in _curves(batches, with_seed(training, seed), intervals).items():
            curves[name].append(curve)
    served = {AT_ONCE: float(np.median(batch_seconds)) if batch_seconds else 0.0, **intervals}
    return Comparison(
        AT_ONCE, curves, {name: {"interval_seconds": seconds} for name, seconds in served.items()}
    )


def _curves(
    batches: list[ExampleBatch], training: TrainingSettings, intervals: dict[str, float]
) -> dict[str, AucCurve]:
    learner = BatchLearner(training)
    aucs = {name: ProgressiveAuc(len(batches)) for name in (AT_ONCE, *intervals)}
    syncs = {name: sync_numbers(batches, seconds) for name, seconds in intervals.items()}
    with threadpool_limits(1):  # small matrices: threads only wait for each other
        for number, batch in enumerate(batches):
            for name, numbers in syncs.items():
                if number == 0 or numbers[number] != numbers[number - 1]:
                    end = int(np.searchsorted(numbers, numbers[number], side="right"))
                    for later in range(number, end):
                        aucs[name].add(later, learner.score(batches[later]))
            aucs[AT_ONCE].add(number, learner.learn(batch))
    return {name: auc.curve() for name, auc in aucs.items()}


def sync_numbers(batches: Sequence[ExampleBatch], seconds: float) -> IntArray:
    """Return which sync each batch is served by, int64, rising: all that begin between two have the same."""
    starts = np.array([float(batch.times.min()) for batch in batches])
    rising = np.maximum.accumulate(starts)
    numbers: IntArray = np.floor(rising / seconds).astype(np.int64)
    return numbers
