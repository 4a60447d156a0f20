"""`foryou bench freshness`: from a 202 to the answer that has learned it, in a system of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from foryou.bench_system import BenchmarkError, benchmark_system, fill, people
from foryou.settings import SystemSettings
from simulations.benchmarks.freshness_benchmark import run_freshness
from simulations.benchmarks.freshness_load import FreshnessPlan

__all__ = ["BenchmarkError", "run_bench_freshness_command"]

_IMPORT_SECONDS = 3_600.0
_HISTORY = 50
_SERVED = 200


def run_bench_freshness_command(
    settings: SystemSettings,
    plan: FreshnessPlan,
    *,
    num_contents: int = 200_000,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Return the figures as one flat dict (`stages` nested). Raises BenchmarkError."""
    with benchmark_system(settings, history=_HISTORY, say=say) as system:
        fill(system, 0, num_contents, num_contents, say, _IMPORT_SECONDS)
        people(
            system,
            num_users=plan.num_users,
            num_contents=num_contents,
            history=_HISTORY,
            served=min(_SERVED, num_contents // 4),
        )
        say("feeds and events")
        answer = run_freshness(plan.model_copy(update={"url": system.http_url}), system.endpoints)
    return answer | {"contents": num_contents}
