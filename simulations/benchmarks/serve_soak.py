"""A long time at half of the peak: does memory grow, does the tail of latency?"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psutil

from simulations.benchmarks.serve_benchmark import ServeMeasurement

_EVERY_SECONDS = 5.0
_WARM_SHARE = 0.25
"""Of the time, before memory counts as warm."""


@dataclass(slots=True)
class MemoryLog:
    """Megabytes of each kind of process under this one, and when; USS, so that shared pages count for nobody.

    A process is named by its title: Ray calls it by the actor's class.
    """

    at: list[float] = field(default_factory=list)
    by_name: list[dict[str, float]] = field(default_factory=list)

    def sample(self) -> None:
        megabytes: dict[str, float] = {}
        for child in psutil.Process().children(recursive=True):
            try:
                name = _title(child)
                megabytes[name] = megabytes.get(name, 0.0) + child.memory_full_info().uss / 2**20
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue
        self.at.append(time.monotonic())
        self.by_name.append(megabytes)

    def growth(self) -> dict[str, float]:
        """Return, for each name, the last tenth's mean as a share of the first tenth's after warming up."""
        warm = self.by_name[int(len(self.by_name) * _WARM_SHARE) :]
        tenth = max(len(warm) // 10, 1)
        names = sorted(set().union(*warm[:1], *warm[-1:]))
        return {name: _mean(warm[-tenth:], name) / max(_mean(warm[:tenth], name), 1e-9) for name in names}


def soak(measurement: ServeMeasurement, peak_per_s: float, seconds: float) -> dict[str, Any]:
    """Serve at half of the peak; memory and p99 by minute, and how both moved after the warm-up."""
    log = MemoryLog()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_EVERY_SECONDS):
            log.sample()

    watcher = threading.Thread(target=watch, name="soak-memory", daemon=True)
    log.sample()
    watcher.start()
    try:
        report = measurement.feed_load(
            rate=peak_per_s / 2, seconds=seconds, window_seconds=min(60, seconds / 4)
        )
    finally:
        over.set()
        watcher.join()
    log.sample()
    p99 = [window.p99_ms for window in report.windows if window.served]
    warm = p99[int(len(p99) * _WARM_SHARE) :]
    half = max(len(warm) // 2, 1)
    totals = [sum(sample.values()) for sample in log.by_name]
    growth = log.growth()
    return {
        "soak_seconds": seconds,
        "soak_served_per_s": round(report.served_per_s, 1),
        "soak_errors": report.failed + report.refused,
        "soak_p99_ms": [round(value, 2) for value in p99],
        "soak_p99_growth": round(float(np.median(warm[-half:]) / np.median(warm[:half])), 3),
        "soak_memory_mb": [round(total) for total in totals[:: max(len(totals) // 20, 1)]],
        "soak_replica_memory_growth": round(
            max((share for name, share in growth.items() if "feed" in name), default=float("nan")), 4
        ),
        "soak_memory_growth": {name: round(share, 3) for name, share in growth.items()},
    }


def _title(process: psutil.Process) -> str:
    command = process.cmdline()
    title = command[0] if command else process.name()
    return title.split("/")[-1][:40] if not title.startswith("ray::") else title[:40]


def _mean(samples: list[dict[str, float]], name: str) -> float:
    return float(np.mean([sample.get(name, 0.0) for sample in samples]))
