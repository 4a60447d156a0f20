"""How the table benchmark measures: what is compared takes turns, so that a busy machine slows all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from messages.arrays import IdArray, IntArray
from messages.identifiers import mix


@dataclass(frozen=True, slots=True)
class TableBenchmarkSettings:
    """Sizes. The defaults are those of the promises; smaller ones are for trying the benchmark itself."""

    num_rows: int = 1_000_000
    num_grown: int = 8_000_000
    dimension: int = 32
    batch: int = 4_096
    growth_batch: int = 1_024
    rounds: int = 300
    num_touched: int = 10_000
    seed: int = 0


def medians(calls: Mapping[str, Callable[[int], Any]], rounds: int) -> dict[str, float]:
    """Return the median seconds of each call, which gets the number of the round; they take turns."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for round_number in range(rounds):
        for name, call in calls.items():
            started = time.perf_counter()
            call(round_number)
            taken[name].append(time.perf_counter() - started)
    return {name: float(np.median(seconds)) for name, seconds in taken.items()}


def ids_of(rows: IntArray) -> IdArray:
    """Return the ids that stand in rows 0, 1, 2, ... of the tables measured."""
    return mix(rows.astype(np.uint64) + np.uint64(1))


def zipf_batches(settings: TableBenchmarkSettings, count: int = 64, exponent: float = 1.1) -> list[IntArray]:
    """Return batches of row numbers, popular ones often, in no relation to where they lie; int64 [batch]."""
    random = np.random.default_rng(settings.seed)
    places = random.permutation(settings.num_rows)
    batches = []
    for _ in range(count):
        ranks = np.empty(0, dtype=np.int64)
        while len(ranks) < settings.batch:
            drawn = random.zipf(exponent, 4 * settings.batch) - 1
            ranks = np.concatenate([ranks, drawn[drawn < settings.num_rows]])
        batches.append(places[ranks[: settings.batch]])
    return batches
