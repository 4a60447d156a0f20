"""What a second model costs: processor time of learners, and the time of an answer beside a canary.

A running system gets the same load with one model, with two, and with one again. In between it is asked for
feeds with a canary, whom half of all people see, and without, in turns. Every model learns every event, so
the learners' processor time is told by the event, whatever batches came of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import ray
from pydantic import BaseModel, ConfigDict, Field

from actors.model_groups import FIRST_MODEL, learner_role
from actors.names import Namespace
from actors.running_actors import find_actors
from simulations.benchmarks.freshness_load import FreshnessReport
from simulations.benchmarks.http_load import LoadReport

CANDIDATE = "candidate"
_FIRST, _SECOND = learner_role(FIRST_MODEL), learner_role(CANDIDATE)
_ASK_SECONDS = 10.0
_POLL_SECONDS = 0.25
_QUIET_POLLS = 8
_PATIENCE_SECONDS = 90.0


class ModelsBenchmarkError(RuntimeError):
    """Learners did not come to where they can be measured; the text says how far they came."""


class ModelsBenchmarkSettings(BaseModel):
    """warm_seconds, seconds: of the loads before and while learners are measured. ask_seconds: of each
    measurement of feeds, `rounds` with a canary and as many without."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    num_contents: int = Field(default=10_000, ge=100)
    num_users: int = Field(default=2_000, ge=1)
    events_per_s: float = Field(default=200.0, gt=0)
    feeds_per_s: float = Field(default=10.0, gt=0)
    warm_seconds: float = Field(default=5.0, gt=0)
    seconds: float = Field(default=15.0, gt=0)
    ask_seconds: float = Field(default=5.0, gt=0)
    rounds: int = Field(default=3, ge=1)


class CandidateControl(Protocol):
    """The one candidate of the system; each call returns when it is in force in the replica."""

    def create(self) -> None:
        """As a shadow, a copy of production."""
        ...

    def show(self) -> None:
        """To half of the people, as a canary."""
        ...

    def hide(self) -> None:
        """Be a shadow again."""
        ...

    def retire(self) -> None: ...


@dataclass(frozen=True, slots=True)
class LearnerWork:
    """What a learner's process has done since it began."""

    examples: int
    cpu_seconds: float


class LearnerWatch:
    """Reads the work of every learner of a namespace that runs now, by role. Ray must be initialized."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace

    def read(self) -> dict[str, LearnerWork]:
        learners = {
            role: learner
            for role, learner in find_actors(self._namespace).items()
            if role in (_FIRST, _SECOND)
        }
        asked = [
            (learner.status.remote(), learner.__ray_call__.remote(_process_seconds))
            for learner in learners.values()
        ]
        answers = [ray.get(list(pair), timeout=_ASK_SECONDS) for pair in asked]
        return {
            role: LearnerWork(int(status["examples"]), float(cpu_seconds))
            for role, (status, cpu_seconds) in zip(learners, answers, strict=True)
        }


class ModelsMeasurement:
    """offer: loads the system with feeds and events for so many seconds. ask: asks for feeds alone, over one
    connection. read: see `LearnerWatch`; tests put others in their place."""

    def __init__(
        self,
        settings: ModelsBenchmarkSettings,
        candidate: CandidateControl,
        offer: Callable[[float], FreshnessReport],
        ask: Callable[[], LoadReport],
        read: Callable[[], dict[str, LearnerWork]],
        *,
        say: Callable[[str], None] = lambda _: None,
        poll_seconds: float = _POLL_SECONDS,
    ) -> None:
        self._settings = settings
        self._candidate = candidate
        self._offer = offer
        self._ask = ask
        self._read = read
        self._say = say
        self._poll_seconds = poll_seconds
        self._freshness: list[FreshnessReport] = []

    def run(self) -> dict[str, Any]:
        """Return the figures as one flat dict. Raises ModelsBenchmarkError."""
        self._say("warming up")
        self._offer(self._settings.warm_seconds)
        first = self._learning("one model", {_FIRST})
        self._candidate.create()
        self._say("warming up two models")
        self._offer(self._settings.warm_seconds)
        two = self._learning("two models", {_FIRST, _SECOND})
        alone, beside = self._serving()
        self._candidate.retire()
        last = self._learning("one model again", {_FIRST})
        one_us = (first + last) / 2
        p50_alone, p50_beside = (
            float(np.median([report.p50_ms for report in reports])) for reports in (alone, beside)
        )
        return {
            "learner_cpu_ratio": round(two / one_us, 3),
            "learner_cpu_us_one": round(one_us, 1),
            "learner_cpu_us_two": round(two, 1),
            "learner_cpu_us_one_first": round(first, 1),
            "learner_cpu_us_one_last": round(last, 1),
            "canary_p50_ratio": round(p50_beside / p50_alone, 3),
            "p50_ms_alone": round(p50_alone, 3),
            "p50_ms_canary": round(p50_beside, 3),
            "p99_ms_alone": round(float(np.median([report.p99_ms for report in alone])), 3),
            "p99_ms_canary": round(float(np.median([report.p99_ms for report in beside])), 3),
            "freshness_p50_ms_one": self._freshness[0].p50_ms,
            "freshness_p50_ms_two": self._freshness[1].p50_ms,
            "rounds_p50_ms_alone": [round(report.p50_ms, 3) for report in alone],
            "rounds_p50_ms_canary": [round(report.p50_ms, 3) for report in beside],
            "errors_of_feeds": sum(report.failed + report.refused for report in (*alone, *beside)),
            "errors_of_loads": sum(report.failures for report in self._freshness),
        }

    def _learning(self, what: str, roles: set[str]) -> float:
        """Return the microseconds of processor time that all learners together spend on one event."""
        self._say(f"learners of {what}")
        before = self._quiet(roles)
        self._freshness.append(self._offer(self._settings.seconds))
        after = self._quiet(roles)
        done = {role: after[role].examples - before[role].examples for role in roles}
        if min(done.values()) != max(done.values()) or not done[_FIRST]:
            raise ModelsBenchmarkError(f"with {what} the learners did not learn the same examples: {done}")
        seconds = sum(after[role].cpu_seconds - before[role].cpu_seconds for role in roles)
        return seconds / done[_FIRST] * 1e6

    def _quiet(self, roles: set[str]) -> dict[str, LearnerWork]:
        """Wait until these learners, and no others, have nothing left to learn."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        quiet, before = 0, dict[str, int]()
        while True:
            work = self._read()
            examples = {role: each.examples for role, each in work.items()}
            quiet = quiet + 1 if examples == before and set(work) == roles else 0
            if quiet >= _QUIET_POLLS:
                return work
            if time.monotonic() > deadline:
                raise ModelsBenchmarkError(f"learners did not come to rest: {examples}, expected {roles}")
            before = examples
            time.sleep(self._poll_seconds)

    def _serving(self) -> tuple[list[LoadReport], list[LoadReport]]:
        """Ask without and with a canary in turns, so that what drifts meanwhile touches both."""
        alone, beside = [], []
        for number in range(self._settings.rounds):
            self._say(f"serving, round {number + 1} of {self._settings.rounds}")
            alone.append(self._ask())
            self._candidate.show()
            beside.append(self._ask())
            self._candidate.hide()
        return alone, beside


def _process_seconds(_: object) -> float:
    return time.process_time()
