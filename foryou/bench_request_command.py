"""`foryou bench request`: what one request costs a process that is set up as a replica is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from simulations.benchmarks.request_benchmark import RequestBenchmarkSettings


def run_bench_request_command(benchmark: RequestBenchmarkSettings) -> dict[str, Any]:
    """Return the figures as one flat dict (`stages` nested), measured in a process of its own: linear algebra
    reads its number of threads when it is imported. Raises subprocess.CalledProcessError."""
    done = subprocess.run(
        [sys.executable, "-m", "simulations.benchmarks.request_benchmark", benchmark.model_dump_json()],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
