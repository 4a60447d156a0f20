"""`foryou experiment scaling`: what a second learner and a second replica add, each on a core of its own."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from foryou.settings import SystemSettings
from simulations.chaos_stream import contents as some_contents
from simulations.experiments.scaling_costs import measure_learning
from simulations.experiments.scaling_model import feed_latencies, rows_per_second
from simulations.in_process import InProcessSettings, InProcessSystem
from simulations.kuairand import KuaiRandLog

_LEARNERS = (1, 2, 4)
_SHARDS = (2, 4)
_REPLICAS = (1, 2)
_CALL_SECONDS = 0.0006
"""Of an actor's call there and back, on one machine: `docs/scaling.md`."""
_LOAD = 0.8
_NUM_FEEDS = 400
_WARM_FEEDS = 50
_SLATE = 10


def run_experiment_scaling(
    settings: SystemSettings, *, path: Path, limit: int, contents: int
) -> dict[str, Any]:
    """Measure one part at a time and simulate several; returns a flat report.

    limit: rows of KuaiRand that are learned. contents: of which feeds are ranked. Raises KuaiRandFormatError.
    """
    report: dict[str, Any] = {}
    with threadpool_limits(1):
        for shards in _SHARDS:
            log = KuaiRandLog(path, num_partitions=settings.joiner.num_partitions, max_rows=limit)
            costs = measure_learning(log, settings.joiner, settings.training, shards)
            report[f"batch_own_ms_{shards}_shards"] = _milliseconds(costs.own)
            report[f"batch_shard_ms_{shards}_shards"] = _milliseconds(costs.pull + costs.push)
            for learners in _LEARNERS:
                rate = rows_per_second(costs, learners, call_seconds=_CALL_SECONDS)
                report[f"examples_per_s_{learners}_learners_{shards}_shards"] = round(rate)
        seconds = _feed_seconds(settings, contents)
    report["feed_ms"] = _milliseconds(seconds)
    rate = _LOAD / float(seconds.mean())
    report["feeds_per_s"] = round(rate, 1)
    for replicas in _REPLICAS:
        latencies = feed_latencies(seconds.tolist(), replicas, rate)
        report[f"p50_ms_{replicas}_replicas"] = round(1e3 * float(np.quantile(latencies, 0.5)), 2)
        report[f"p99_ms_{replicas}_replicas"] = round(1e3 * float(np.quantile(latencies, 0.99)), 2)
        report[f"most_feeds_per_s_{replicas}_replicas"] = round(replicas / float(seconds.mean()), 1)
    return report


def _feed_seconds(settings: SystemSettings, num_contents: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Rank feeds in one process and return what each took, float64 [n]."""
    system = InProcessSystem(InProcessSettings(joiner=settings.joiner, training=settings.training))
    for facts in some_contents("ranked", num_contents):
        system.put_content(facts, now=1.0)
    system.advance(now=2.0)
    seconds = np.empty(_NUM_FEEDS)
    for number in range(_NUM_FEEDS):
        began = time.thread_time()
        system.feed(f"person-{number}", _SLATE, now=3.0)
        seconds[number] = time.thread_time() - began
    return seconds[_WARM_FEEDS:]


def _milliseconds(seconds: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    return round(1e3 * float(seconds.mean()), 3)
