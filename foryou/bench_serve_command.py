"""`foryou bench serve`: feeds a second, beside a deployment that does nothing, in a system of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from foryou.bench_system import IMPORT_SECONDS, BenchmarkError, benchmark_system, fill, people
from foryou.settings import SystemSettings
from simulations.benchmarks.serve_benchmark import ServeBenchmarkSettings, ServedUrls, ServeMeasurement
from simulations.benchmarks.serve_soak import soak

__all__ = ["BenchmarkError", "run_bench_serve_command"]


def run_bench_serve_command(
    settings: SystemSettings,
    benchmark: ServeBenchmarkSettings,
    *,
    overload: bool = False,
    soak_seconds: float = 0.0,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Return the figures as one flat dict (`stages` nested). Raises BenchmarkError.

    overload: offer twice the peak afterwards. soak_seconds: serve at half of the peak for so long.
    """
    num_small = min(benchmark.num_small, benchmark.num_contents)
    with benchmark_system(
        settings, history=benchmark.history, say=say, replicas=benchmark.replicas
    ) as system:
        _start_noop(system.settings)
        measurement = ServeMeasurement(ServedUrls(system.http_url, system.http_url), benchmark, say=say)
        past = {
            "num_users": benchmark.num_users,
            "history": benchmark.history,
            "served": min(benchmark.served, num_small // 4),
        }
        imported_per_s = fill(system, 0, num_small, benchmark.num_contents, say, IMPORT_SECONDS)
        people(system, num_contents=num_small, **past)
        small = measurement.feed_load(connections=1)
        if num_small < benchmark.num_contents:
            imported_per_s = fill(
                system, num_small, benchmark.num_contents, benchmark.num_contents, say, IMPORT_SECONDS
            )
            past["served"] = benchmark.served
            people(system, num_contents=benchmark.num_contents, **past)
        answer = measurement.throughput()
        answer |= {
            "p50_ms_c1_small": round(small.p50_ms, 3),
            "p50_growth": round(answer["p50_ms_c1"] / small.p50_ms, 3),
            "contents_small": num_small,
            "replicas": system.settings.http.replicas,
            "imported_per_s": round(imported_per_s, 1),
            **measurement.inside(),
        }
        if overload:
            answer |= measurement.overload(answer["requests_per_s"], answer["p99_ms"])
        if soak_seconds:
            say("half of the peak")
            answer |= soak(measurement, answer["requests_per_s"], soak_seconds)
    return answer


def _start_noop(settings: SystemSettings) -> None:
    from ray import serve

    from serve_app.app import build_noop_application

    http = settings.http
    application = build_noop_application(
        num_replicas=http.replicas,
        max_ongoing_requests=http.max_ongoing_requests,
        max_queued_requests=http.max_queued_requests,
    )
    serve.run(application, name="noop", route_prefix="/noop")
