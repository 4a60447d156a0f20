"""`foryou bench table`: how fast, how lean and how steady the parameter server is on this machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simulations.benchmarks.table_benchmark import run_table_benchmark
from simulations.benchmarks.table_measure import TableBenchmarkSettings


def run_bench_table_command(
    *,
    num_rows: int = 1_000_000,
    num_grown: int = 8_000_000,
    rounds: int = 300,
    with_ray: bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Return the figures as one flat dict. The promises are about the default sizes; smaller ones try it."""
    settings = TableBenchmarkSettings(num_rows=num_rows, num_grown=num_grown, rounds=rounds)
    return run_table_benchmark(settings, with_ray=with_ray, say=say)
