"""`foryou bench learn`: how fast events are joined and learned on this machine, and where the time goes."""

from __future__ import annotations

from typing import Any

from foryou.settings import SystemSettings
from simulations.benchmarks.learn_benchmark import run_learn_benchmark
from simulations.benchmarks.learning_feed import LearningFeedSettings


def run_bench_learn_command(
    settings: SystemSettings,
    *,
    num_pairs: int = 50_000,
    num_users: int = 10_000,
    seed: int = 0,
    through_system_examples_per_s: float | None = None,
) -> dict[str, Any]:
    """Return the figures as one flat dict.

    through_system_examples_per_s: as measured at a running system on the same machine; with it `vs_in_memory`
    is reported. Cost per example is flat where a run with more users reports the same rates.
    """
    feed = LearningFeedSettings(seed=seed, num_pairs=num_pairs, num_users=num_users)
    return run_learn_benchmark(
        feed, settings.training, through_system_examples_per_s=through_system_examples_per_s
    )
