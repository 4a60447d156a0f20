"""What is compiled at install is all that requests need: a replica that compiled would keep them waiting."""

from __future__ import annotations

import subprocess
import sys

_SCRIPT = """
import sys
from numba.core.dispatcher import Dispatcher
from parameter_server.warm_up import warm_up
from serve_app.warm_up import warm_up_ranking
from simulations.benchmarks.request_benchmark import RequestBenchmarkSettings, run_request_benchmark

def signatures():
    rooms = ("learners", "parameter_server", "serve_app")
    modules = [module for name, module in sys.modules.items() if name.split(".")[0] in rooms]
    values = [value for module in modules for value in vars(module).values()]
    kernels = [value for value in values if isinstance(value, Dispatcher)]
    return {(kernel.py_func.__qualname__, str(types)) for kernel in kernels for types in kernel.signatures}

warm_up()
warm_up_ranking()
compiled = signatures()
run_request_benchmark(RequestBenchmarkSettings(num_contents=2_000, num_users=50, requests=60))
print(sorted(signatures() - compiled))
"""


def test_requests_compile_nothing_that_was_not_compiled_at_install() -> None:
    run = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == "[]"
