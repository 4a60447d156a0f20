"""The benchmark of one request runs what a replica runs, in one process."""

from __future__ import annotations

from simulations.benchmarks.request_benchmark import RequestBenchmarkSettings, run_request_benchmark


def test_every_stage_of_a_request_is_accounted_for() -> None:
    settings = RequestBenchmarkSettings(num_contents=3_000, num_users=5, history=20, served=40, requests=12)

    answer = run_request_benchmark(settings)

    assert answer["contents"] == 3_000
    assert answer["candidates"] == 500
    assert answer["ann_recall"] == 1.0
    stages = answer["stages"]
    assert {"source.two_tower", "scorer.model_heads", "selector.diverse_slate", "observe"} <= set(stages)
    parts = sum(time for name, time in stages.items() if "." in name)
    assert 0 < parts <= stages["rank"] <= answer["cpu_ms"]
