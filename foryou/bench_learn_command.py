"""`foryou bench learn`: how fast and how soon events are joined and learned, and where the time goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from threadpoolctl import threadpool_limits

from foryou.borrowed_services import passing_plan
from foryou.settings import SystemSettings
from simulations.benchmarks.learning_feed import LearningFeedSettings


def run_bench_learn_command(
    settings: SystemSettings,
    *,
    num_pairs: int = 30_000,
    num_users: int = 10_000,
    many_users: int = 1_000_000,
    offered_per_s: float = 1_000.0,
    latency_seconds: float = 15.0,
    slate: int = 20,
    seed: int = 0,
    through_system: bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Return the figures as one flat dict.

    Through the system first, in a namespace of its own, on the running system's services or on ones started
    for it; then the same work in this process, alone. slate: contents served at once while latency is
    measured, so that so many events share an impression. through_system: False leaves the first out.
    """
    from simulations.benchmarks.learn_benchmark import run_learn_benchmark

    feed = LearningFeedSettings(seed=seed, num_pairs=num_pairs, num_users=num_users)
    rates = (
        _measure_system(settings, feed, offered_per_s, latency_seconds, slate, say)
        if through_system
        else None
    )
    say("in one process")
    with threadpool_limits(1):  # threads of a matrix product this small only wait for each other
        report = run_learn_benchmark(feed, settings.training, rates=rates, many_users=many_users)
    return report if rates is None else report | {"event_to_shard_slate": slate}


def _measure_system(
    settings: SystemSettings,
    feed: LearningFeedSettings,
    offered_per_s: float,
    latency_seconds: float,
    slate: int,
    say: Callable[[str], None],
) -> Any:
    say("starting what it needs")
    with passing_plan(settings, "bench") as plan:
        from simulations.benchmarks.system_rates import measure_system

        return measure_system(
            plan,
            feed.model_copy(update={"num_partitions": settings.num_partitions}),
            settings.streams,
            offered_per_s=offered_per_s,
            latency_seconds=latency_seconds,
            slate=slate,
            say=say,
        )
