"""On what something was measured: what a figure depends on besides what is measured."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

PACKAGES = {
    "foryou": "foryou",
    "numpy": "numpy",
    "numba": "numba",
    "torch": "torch",
    "faiss": "faiss-cpu",
    "ray": "ray",
}
"""The distribution of each package whose version is told."""

ENVIRONMENT = (
    "OPENBLAS_CORETYPE",
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
"""Which kernels linear algebra takes, and how many threads; a fact is the name in small letters."""

_GIT_SECONDS = 10.0


def machine_facts() -> dict[str, Any]:
    """Return a flat dict of numbers and texts; a text is empty where there is nothing to tell."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
        "cores_usable": _usable_cores(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **{name: _version(distribution) for name, distribution in PACKAGES.items()},
        **{name.lower(): os.environ.get(name, "") for name in ENVIRONMENT},
        "load_at_start": round(os.getloadavg()[0], 2),
        "commit": commit_of(Path(__file__)),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _usable_cores() -> int:
    """Return on how many cores this process may run; macOS does not say, and lets it run on all."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def commit_of(source: Path) -> str:
    """Return the commit of the checkout that `source` is tracked in, and whether files of it have changed."""
    tracked = ["ls-files", "--error-unmatch", source.name]  # an environment may lie in somebody's checkout
    if _git(source.parent, *tracked) is None:
        return ""
    commit = _git(source.parent, "rev-parse", "HEAD") or ""
    changed = _git(source.parent, "status", "--porcelain", "--untracked-files=no", ":/")
    return f"{commit} and changes" if changed else commit


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what git says; None where there is no git, or no checkout."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
