"""`foryou bench all` runs a real benchmark in a process of its own, and leaves a page and its numbers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_the_benchmark_of_one_request_ends_up_on_the_page(tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = ["bench", "all", "--quick", "--only", "request", "--out", str(out), "--json"]

    done = subprocess.run([sys.executable, "-m", "foryou", *command], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    request = answer["benchmarks"]["request"]
    assert (request["state"], request["figures"]["contents"]) == ("done", 3_000)
    kept = json.loads((out / "results.json").read_text())
    assert kept["benchmarks"] == answer["benchmarks"]
    assert kept["machine"]["numpy"]
    page = (out / "index.html").read_text()
    assert "cpu_p99_ms" in page
    assert "Small sizes" in page
    assert (out / "request-stages.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((out / "request.json").read_text()) == request["figures"]
