"""A load that is offered from a process of its own, so that what is measured does not measure itself."""

from __future__ import annotations

import subprocess
import sys
from typing import TypeVar

from pydantic import BaseModel

_GRACE_SECONDS = 60.0

Report = TypeVar("Report", bound=BaseModel)


def run_load_process(module: str, plan: BaseModel, report: type[Report], seconds: float) -> Report:
    """Run a module that takes a plan as JSON and prints its report as JSON.

    seconds: that it should take. Raises subprocess.CalledProcessError, TimeoutExpired a minute later.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, plan.model_dump_json()],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=seconds + _GRACE_SECONDS,
    )
    return report.model_validate_json(done.stdout)
