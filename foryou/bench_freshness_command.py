"""`foryou bench freshness`: from a 202 to the answer that has learned it, in a system of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from foryou.bench_system import HISTORY, BenchmarkError, benchmark_system, populate
from foryou.settings import SystemSettings
from simulations.benchmarks.freshness_benchmark import run_freshness
from simulations.benchmarks.freshness_load import FreshnessPlan

__all__ = ["BenchmarkError", "run_bench_freshness_command"]


def run_bench_freshness_command(
    settings: SystemSettings,
    plan: FreshnessPlan,
    *,
    num_contents: int = 200_000,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Return the figures as one flat dict (`stages` nested). Raises BenchmarkError."""
    with benchmark_system(settings, history=HISTORY, say=say) as system:
        populate(system, num_contents=num_contents, num_users=plan.num_users, say=say)
        say("feeds and events")
        answer = run_freshness(plan.model_copy(update={"url": system.http_url}), system.endpoints)
    return answer | {"contents": num_contents}
