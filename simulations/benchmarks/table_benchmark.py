"""The parameter server's promises in figures: every ratio from one run, of medians, with the machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from parameter_server.warm_up import warm_up
from simulations.benchmarks.machine_facts import machine_facts
from simulations.benchmarks.table_growth import measure_growth
from simulations.benchmarks.table_measure import TableBenchmarkSettings
from simulations.benchmarks.table_remote import measure_remote
from simulations.benchmarks.table_speed import measure_speed
from simulations.benchmarks.table_upkeep import measure_upkeep

AT_LEAST = {"pull_vs_take": 0.5, "push_vs_fbgemm": 0.6}
AT_MOST = {
    "index_cost": 1.5,
    "growth_max_ms": 50.0,
    "memory_ratio": 1.35,
    "find_8m_vs_100k": 2.5,
    "ray_pull_vs_echo": 1.15,
    "snapshot_stall_ms": 50.0,
    "restore_s": 5.0,
    "delta_ms": 20.0,
}


def run_table_benchmark(
    settings: TableBenchmarkSettings | None = None,
    *,
    with_ray: bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Measure everything and return one flat dict; `missed` names the promises that were not kept here.

    with_ray: False leaves `ray_pull_vs_echo` out. say: is told what is measured next.
    """
    settings = settings or TableBenchmarkSettings()
    report: dict[str, Any] = machine_facts()
    warm_up()
    parts = {"pull and push": measure_speed, "growth": measure_growth, "snapshots and deltas": measure_upkeep}
    if with_ray:
        parts["pulls between processes"] = measure_remote
    for name, measure in parts.items():
        say(name)
        report |= measure(settings)
    missed = [name for name, bound in AT_LEAST.items() if name in report and report[name] < bound]
    missed += [name for name, bound in AT_MOST.items() if name in report and report[name] > bound]
    return report | {"missed": missed, "not_measured": sorted((AT_LEAST | AT_MOST).keys() - report.keys())}
