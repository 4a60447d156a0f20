"""What can fail, and when: schedules drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Action = Literal["kill", "restart", "pause", "long-pause", "cut"]

ACTORS = ("joiner", "learner", "counter-writer", "shard-0", "shard-1", "model")
SERVING = ("replica", "controller")
SERVERS = ("nats", "valkey")
TARGETS = (*ACTORS, *SERVING, *SERVERS)

_PAUSE_SECONDS = {"pause": (1.0, 3.0), "long-pause": (5.0, 8.0), "cut": (1.0, 4.0)}
"""A long pause outlasts every time-out of those who wait: store 5 s, broker 5 s."""
_PAIR_SHARE = 0.4


@dataclass(frozen=True, slots=True)
class Fault:
    """seconds: how long a pause or a cut lasts, 0 for what ends a process."""

    target: str
    action: Action
    seconds: float = 0.0

    @property
    def kind(self) -> str:
        return f"{self.action} {self.target.split('-0')[0].split('-1')[0]}"


@dataclass(frozen=True, slots=True)
class Moment:
    """Faults that come together, before the message of this index is published."""

    before_message: int
    faults: tuple[Fault, ...]

    @property
    def kind(self) -> str:
        return " + ".join(sorted(fault.kind for fault in self.faults))


def draw_schedule(seed: int, number: int, num_messages: int, num_moments: int = 3) -> list[Moment]:
    """Return the moments of schedule `number`: each of one fault, or of a pair, at a random point.

    The whole follows from seed and number: a failure that prints both can be had again.
    """
    random = np.random.default_rng([seed, number])
    first, last = num_messages // 8, 7 * num_messages // 8
    points = np.sort(random.choice(np.arange(first, last), size=num_moments, replace=False))
    return [
        Moment(int(point), _draw_faults(random, 2 if random.random() < _PAIR_SHARE else 1))
        for point in points
    ]


def _draw_faults(random: np.random.Generator, number: int) -> tuple[Fault, ...]:
    targets = random.permutation(len(TARGETS))[:number]
    return tuple(_draw_fault(random, TARGETS[index]) for index in targets)


def _draw_fault(random: np.random.Generator, target: str) -> Fault:
    actions: list[Action] = ["kill", "pause", "long-pause"]
    if target in SERVERS:
        actions += ["restart", "cut"]
    action = actions[int(random.integers(len(actions)))]
    bounds = _PAUSE_SECONDS.get(action)
    return Fault(target, action, 0.0 if bounds is None else round(float(random.uniform(*bounds)), 2))
