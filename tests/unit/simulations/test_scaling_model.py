"""Parts that wait for each other: what a second one adds follows from who is the bottleneck."""

from __future__ import annotations

import numpy as np
import pytest

from simulations.experiments.scaling_model import LearningCosts, feed_latencies, rows_per_second


def costs(own: float, shard: float, shards: int = 2) -> LearningCosts:
    each = np.full((10, shards), shard)
    return LearningCosts(np.full(10, own), each, each, np.full(10, 100.0))


def test_one_learner_takes_the_sum_of_its_stages() -> None:
    assert rows_per_second(costs(0.008, 0.001), 1, call_seconds=0.0) == pytest.approx(10_000)
    assert rows_per_second(costs(0.008, 0.001), 1, call_seconds=0.001) == pytest.approx(100 / 0.012)


def test_learners_add_up_while_shards_have_time_and_no_more_once_they_have_none() -> None:
    idle = costs(own=0.1, shard=0.0001)
    assert rows_per_second(idle, 2, call_seconds=0.0) > 1.98 * rows_per_second(idle, 1, call_seconds=0.0)
    busy = costs(own=0.0, shard=0.01)
    assert rows_per_second(busy, 4, call_seconds=0.0) == pytest.approx(100 / 0.02, rel=0.01)


def test_a_lone_request_takes_what_ranking_takes() -> None:
    assert feed_latencies([0.01], 1, rate=0.01, num_requests=100) == pytest.approx(0.01)


def test_a_queue_waits_as_the_theory_of_one_server_says() -> None:
    rate, service = 50.0, 0.01  # M/D/1 at half load: the mean wait is rho / (2 mu (1 - rho))
    waits = feed_latencies([service], 1, rate, num_requests=200_000) - service
    assert waits.mean() == pytest.approx(0.5 * service / (2 * (1 - 0.5)), rel=0.03)


def test_a_second_replica_takes_the_wait_away() -> None:
    one, two = (feed_latencies([0.01], replicas, rate=90.0) for replicas in (1, 2))
    assert np.quantile(two, 0.99) < 0.4 * np.quantile(one, 0.99)
