"""What one more learner or replica adds where each part has a core of its own: simulated from measured costs.

Few cores hide it: two learners on one machine share what one had. So the time that each stage takes is
measured with nothing beside it, and parts that take so long are let wait for each other here.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from messages.arrays import DoubleArray


@dataclass(frozen=True, slots=True)
class LearningCosts:
    """Seconds of each mini-batch b at each stage, of a learner and of each of s shards.

    own: float64 [b], the learner's own work. pull, push: float64 [b, s], of each shard. rows: float64 [b].
    """

    own: DoubleArray
    pull: DoubleArray
    push: DoubleArray
    rows: DoubleArray


def rows_per_second(
    costs: LearningCosts, learners: int, *, call_seconds: float, num_batches: int = 4_000, seed: int = 0
) -> float:
    """Return how many examples so many learners learn a second, with the shards that were measured.

    A closed network: each learner draws a measured batch, asks all shards for rows at once, waits for the
    slowest, computes, pushes to all at once and waits again. A shard does one call after the other, in the
    order in which they come. call_seconds: of the way there and back.
    """
    random = np.random.default_rng(seed)
    drawn = random.integers(len(costs.own), size=num_batches)
    free = np.zeros(costs.pull.shape[1])
    ready = [(0.0, learner, False, -1) for learner in range(learners)]
    heapq.heapify(ready)
    rows, begun, now = 0.0, 0, 0.0
    while ready:
        now, learner, pulled, batch = heapq.heappop(ready)
        if pulled:
            ended = _served(free, now, costs.push[batch]) + call_seconds
            rows += float(costs.rows[batch])
            heapq.heappush(ready, (ended, learner, False, -1))
        elif begun < num_batches:
            batch = int(drawn[begun])
            begun += 1
            ended = _served(free, now, costs.pull[batch]) + call_seconds + float(costs.own[batch])
            heapq.heappush(ready, (ended, learner, True, batch))
    return rows / now


def _served(free: DoubleArray, now: float, seconds: DoubleArray) -> float:
    """Let a call wait at every shard for what came before it; returns when the slowest has answered.

    free: when each shard has done what it was asked so far, moved on in place.
    """
    np.maximum(free, now, out=free)
    free += seconds
    return float(free.max())


def feed_latencies(
    seconds: Sequence[float], replicas: int, rate: float, *, num_requests: int = 20_000, seed: int = 0
) -> DoubleArray:
    """Return how long requests take, waiting included, float64 [num_requests].

    seconds: measured, of ranking one feed. They come at random (Poisson) at `rate` a second and go to the
    replica with the fewest under way, as HAProxy's leastconn sends them; a replica ranks one at a time.
    """
    random = np.random.default_rng(seed)
    arrivals = np.cumsum(random.exponential(1.0 / rate, size=num_requests))
    services = random.choice(np.asarray(seconds, dtype=np.float64), size=num_requests)
    under_way: list[list[float]] = [[] for _ in range(replicas)]
    latencies = np.empty(num_requests)
    for number, (arrived, service) in enumerate(zip(arrivals.tolist(), services.tolist(), strict=True)):
        for ends in under_way:
            while ends and ends[0] <= arrived:
                ends.pop(0)
        least = min(under_way, key=len)
        end = (least[-1] if least else arrived) + service
        least.append(end)
        latencies[number] = end - arrived
    return latencies
