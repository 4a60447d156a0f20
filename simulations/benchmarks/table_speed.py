"""Pull against numpy's `take`, push against FBGEMM's table, both against the same kernels without index."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from messages.arrays import FloatArray, IntArray
from messages.updates import RowGradients
from parameter_server.embedding_table import EmbeddingTable
from parameter_server.settings import SlotSettings
from simulations.benchmarks.table_measure import TableBenchmarkSettings, ids_of, medians, zipf_batches


def filled_table(settings: TableBenchmarkSettings, num_rows: int) -> EmbeddingTable:
    """Return a table of row-wise Adagrad in which `ids_of(rows)` stand in those rows."""
    table = EmbeddingTable("item", SlotSettings(dimension=settings.dimension, optimizer="rowwise_adagrad"))
    for start in range(0, num_rows, 65_536):
        ids = ids_of(np.arange(start, min(start + 65_536, num_rows)))
        table.apply(_gradients(ids, np.zeros((len(ids), settings.dimension), dtype=np.float32)), start + 1)
    return table


def measure_speed(settings: TableBenchmarkSettings) -> dict[str, Any]:
    """Return `pull_vs_take`, `push_vs_fbgemm`, `index_cost` and the medians they are of, in microseconds."""
    table = filled_table(settings, settings.num_rows)
    plain = np.random.default_rng(0).standard_normal(
        (settings.num_rows, settings.dimension), dtype=np.float32
    )
    batches = zipf_batches(settings)
    pulls = [ids_of(rows) for rows in batches]
    num = len(batches)
    pull = medians(
        {
            "take": lambda turn: plain.take(batches[turn % num], axis=0),
            "pull": lambda turn: table.read(pulls[turn % num]),
        },
        settings.rounds,
    )
    unique = [np.unique(rows) for rows in batches]
    slopes = np.random.default_rng(1).standard_normal((settings.batch, settings.dimension), dtype=np.float32)
    push = _measure_push(settings, table, unique, slopes)
    report: dict[str, Any] = {
        "pull_vs_take": pull["take"] / pull["pull"],
        "index_cost": (push["pull"] + push["push"]) / (push["direct_pull"] + push["direct_push"]),
        "unique_ids": float(np.mean([len(rows) for rows in unique])),
        **{f"{name}_us": 1e6 * seconds for name, seconds in pull.items()},
        **{f"unique_{name}_us": 1e6 * seconds for name, seconds in push.items()},
    }
    if "fbgemm_push" in push:
        report["push_vs_fbgemm"] = push["fbgemm_push"] / push["push_beside_fbgemm"]
    return report


def _measure_push(
    settings: TableBenchmarkSettings, table: EmbeddingTable, batches: list[IntArray], slopes: FloatArray
) -> dict[str, float]:
    num = len(batches)
    ids = [ids_of(rows) for rows in batches]
    updates = [_gradients(of_batch, slopes[: len(of_batch)]) for of_batch in ids]
    version = settings.num_rows

    def push(turn: int) -> None:
        nonlocal version
        version += 1
        table.apply(updates[turn % num], version)

    def direct_push(turn: int) -> None:
        nonlocal version
        version += 1
        place = (turn + num // 2) % num
        table.apply_rows(batches[place], updates[place], version, 1.0, 0)

    calls: dict[str, Callable[[int], Any]] = {
        "pull": lambda turn: table.read(ids[turn % num]),
        "push": push,
        "direct_pull": lambda turn: table.read_rows(
            ids[(turn + num // 2) % num], batches[(turn + num // 2) % num]
        ),
        "direct_push": direct_push,
    }
    report = medians(calls, settings.rounds)
    fbgemm = _fbgemm_calls(settings, batches, slopes)
    if fbgemm:
        beside = medians({**fbgemm, "pull": calls["pull"], "push": push}, settings.rounds)
        report |= {**{name: beside[name] for name in fbgemm}, "push_beside_fbgemm": beside["push"]}
    return report


def _fbgemm_calls(
    settings: TableBenchmarkSettings, batches: list[IntArray], slopes: FloatArray
) -> dict[str, Callable[[int], Any]]:
    """Return a forward pass, and backward and update, of FBGEMM's table on the CPU; nothing without it."""
    try:
        import torch
        from fbgemm_gpu.split_embedding_configs import EmbOptimType
        from fbgemm_gpu.split_table_batched_embeddings_ops_common import EmbeddingLocation, PoolingMode
        from fbgemm_gpu.split_table_batched_embeddings_ops_training import (
            ComputeDevice,
            SplitTableBatchedEmbeddingBagsCodegen,
        )
    except ImportError:
        return {}
    torch.set_num_threads(1)
    table = SplitTableBatchedEmbeddingBagsCodegen(
        [(settings.num_rows, settings.dimension, EmbeddingLocation.HOST, ComputeDevice.CPU)],
        optimizer=EmbOptimType.EXACT_ROWWISE_ADAGRAD,
        learning_rate=0.05,
        pooling_mode=PoolingMode.SUM,
    )
    indices = [torch.from_numpy(rows) for rows in batches]
    offsets = [torch.arange(len(rows) + 1) for rows in batches]
    gradients = [torch.from_numpy(slopes[: len(rows)]) for rows in batches]
    outputs: list[Any] = []

    def forward(turn: int) -> None:
        place = turn % len(batches)
        outputs[:] = [table(indices[place], offsets[place])]

    def backward(turn: int) -> None:
        outputs[0].backward(gradients[turn % len(batches)])

    return {"fbgemm_pull": forward, "fbgemm_push": backward}


def _gradients(ids: Any, slopes: FloatArray) -> RowGradients:
    return RowGradients(ids, slopes, np.ones(len(ids), dtype=np.uint32))
