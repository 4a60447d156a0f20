"""`foryou bench models`: what a second model costs in learning and in serving, in a system of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from actors.names import Namespace
from foryou.bench_system import HISTORY, BenchmarkError, benchmark_system, populate
from foryou.client import Client
from foryou.settings import SystemSettings, with_changes
from simulations.benchmarks.freshness_load import FreshnessPlan, FreshnessReport
from simulations.benchmarks.http_load import LoadPlan, LoadReport
from simulations.benchmarks.load_process import run_load_process
from simulations.benchmarks.models_benchmark import (
    CANDIDATE,
    LearnerWatch,
    ModelsBenchmarkError,
    ModelsBenchmarkSettings,
    ModelsMeasurement,
)
from simulations.benchmarks.serve_benchmark import FEED_PATH, run_load

__all__ = ["BenchmarkError", "ModelsBenchmarkError", "run_bench_models_command"]

_BY = "benchmark"
_IN_FORCE_SECONDS = 60.0
_POLL_SECONDS = 0.1


def run_bench_models_command(
    settings: SystemSettings,
    benchmark: ModelsBenchmarkSettings,
    *,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Return the figures as one flat dict. Raises BenchmarkError, ModelsBenchmarkError."""
    undecided = {
        "models": {"canary_share": 0.5, "promotion": {"automatic": False, "ask_before_going_back": True}}
    }
    with benchmark_system(with_changes(settings, undecided), history=HISTORY, say=say) as system:
        populate(system, num_contents=benchmark.num_contents, num_users=benchmark.num_users, say=say)

        def offer(seconds: float) -> FreshnessReport:
            plan = FreshnessPlan(
                url=system.http_url,
                num_users=benchmark.num_users,
                events_per_s=benchmark.events_per_s,
                feeds_per_s=benchmark.feeds_per_s,
                seconds=seconds,
                warm_seconds=0.0,
            )
            module = "simulations.benchmarks.freshness_load"
            return run_load_process(module, plan, FreshnessReport, seconds)

        def ask() -> LoadReport:
            return run_load(
                LoadPlan(
                    url=system.http_url,
                    path=FEED_PATH,
                    num_users=benchmark.num_users,
                    connections=1,
                    seconds=benchmark.ask_seconds,
                )
            )

        with Client(system.http_url) as client:
            measurement = ModelsMeasurement(
                benchmark,
                _Candidate(client),
                offer,
                ask,
                LearnerWatch(Namespace(system.endpoints.namespace)).read,
                say=say,
            )
            return measurement.run() | {"contents": benchmark.num_contents}


class _Candidate:
    """`simulations.benchmarks.models_benchmark.CandidateControl` of a running system."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def create(self) -> None:
        self._client.create_model(CANDIDATE, by=_BY)

    def show(self) -> None:
        self._move("canary", [CANDIDATE])

    def hide(self) -> None:
        self._move("shadow", [])

    def retire(self) -> None:
        self._client.change_model(CANDIDATE, "retire", by=_BY)

    def _move(self, action: str, experiments: list[str]) -> None:
        """Return once the replica has it so. Raises ModelsBenchmarkError."""
        self._client.change_model(CANDIDATE, action, by=_BY)
        deadline = time.monotonic() + _IN_FORCE_SECONDS
        while self._client.status()["experiments"] != experiments:
            if time.monotonic() > deadline:
                raise ModelsBenchmarkError(f"{action} is not in force after {_IN_FORCE_SECONDS:.0f} s")
            time.sleep(_POLL_SECONDS)
