"""The table benchmark at a tiny size: it runs, and its figures have the names of the promises."""

from __future__ import annotations

from simulations.benchmarks.machine_facts import machine_facts
from simulations.benchmarks.table_growth import measure_growth
from simulations.benchmarks.table_measure import TableBenchmarkSettings, medians, zipf_batches
from simulations.benchmarks.table_upkeep import measure_upkeep

TINY = TableBenchmarkSettings(num_rows=3_000, num_grown=8_192, batch=256, rounds=3, num_touched=100)


def test_growth_and_upkeep_are_measured() -> None:
    report = machine_facts() | measure_growth(TINY) | measure_upkeep(TINY)
    promised = {
        "growth_max_ms",
        "memory_ratio",
        "find_8m_vs_100k",
        "snapshot_stall_ms",
        "restore_s",
        "delta_ms",
    }
    assert promised <= report.keys()
    assert (report["growth_rows"], report["delta_rows"]) == (8_192, 100)
    assert "openblas_coretype" in report


def test_calls_take_turns() -> None:
    order: list[tuple[str, int]] = []
    calls = {name: lambda turn, name=name: order.append((name, turn)) for name in ("one", "other")}
    assert medians(calls, 2).keys() == {"one", "other"}
    assert order == [("one", 0), ("other", 0), ("one", 1), ("other", 1)]


def test_popular_rows_come_often() -> None:
    batches = zipf_batches(TINY, count=4)
    assert {len(rows) for rows in batches} == {256}
    assert all(rows.min() >= 0 and rows.max() < TINY.num_rows for rows in batches)
    assert len(set(batches[0].tolist())) < 200
