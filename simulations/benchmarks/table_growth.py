"""What a table costs while it grows from nothing: the longest wait, the memory, the speed of a lookup."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from messages.updates import RowGradients
from parameter_server.embedding_table import EmbeddingTable
from parameter_server.optimizers import state_width
from parameter_server.settings import SlotSettings
from simulations.benchmarks.table_measure import TableBenchmarkSettings, ids_of, medians


def measure_growth(settings: TableBenchmarkSettings) -> dict[str, Any]:
    """Return `growth_max_ms`, `memory_ratio` (at the end; `_max` on the way) and `find_8m_vs_100k`."""
    slot = SlotSettings(dimension=settings.dimension, optimizer="rowwise_adagrad")
    table = EmbeddingTable("item", slot)
    row_bytes = 4 * (slot.dimension + state_width(slot))
    small = min(100_000, settings.num_grown // 2)
    slopes = np.zeros((settings.growth_batch, settings.dimension), dtype=np.float32)
    counts = np.ones(settings.growth_batch, dtype=np.uint32)
    random = np.random.default_rng(settings.seed)
    seconds, ratios = [], []
    find_small = 0.0
    for number, start in enumerate(range(0, settings.num_grown, settings.growth_batch)):
        ids = ids_of(np.arange(start, start + settings.growth_batch))
        update = RowGradients(ids, slopes, counts)
        started = time.perf_counter()
        table.apply(update, number + 1)
        seconds.append(time.perf_counter() - started)
        if not find_small and len(table) >= small:
            find_small = _find_seconds(table, settings, random)
        if len(table) >= small:
            ratios.append(table.num_bytes / (len(table) * row_bytes))
    find_large = _find_seconds(table, settings, random)
    return {
        "growth_max_ms": 1e3 * max(seconds),
        "growth_median_ms": 1e3 * float(np.median(seconds)),
        "growth_rows": len(table),
        "memory_ratio": ratios[-1],
        "memory_ratio_max": max(ratios),
        "find_8m_vs_100k": find_large / find_small,
        "find_100k_ns": 1e9 * find_small / settings.batch,
        "find_8m_ns": 1e9 * find_large / settings.batch,
    }


def _find_seconds(
    table: EmbeddingTable, settings: TableBenchmarkSettings, random: np.random.Generator
) -> float:
    """Return the median time to find a batch of ids, all rows equally likely: the hardest case for caches."""
    batches = [ids_of(random.integers(0, len(table), settings.batch)) for _ in range(64)]
    return medians({"find": lambda turn: table.rows.index.find(batches[turn % 64])}, settings.rounds)["find"]
