"""What learning is measured against: the same model on plain arrays, and Vowpal Wabbit on the same rows."""

from __future__ import annotations

import importlib
import importlib.util
import time

import numpy as np

from learners.label_weights import is_positive
from learners.ranking_model import initial_dense_weights, slot_dimensions, slot_learning_rates
from learners.training_settings import TrainingSettings
from learners.training_step import TrainingStep
from messages.arrays import AnyArray, FloatArray, IntArray
from messages.examples import HEAD_INDEX, ExampleBatch
from messages.updates import CounterRows
from parameter_server.initializers import initial_rows

_INITIAL_ACCUMULATOR = np.float32(0.1)


class PlainModel:
    """Rows in one array per slot, their places known beforehand, Adagrad and Adam in numpy.

    No lookup, no positions, no versions, no counters: nothing but pull, step and push remains.
    """

    def __init__(self, training: TrainingSettings, batches: list[ExampleBatch]) -> None:
        self._step = TrainingStep(training)
        self._batches = [batch for batch in batches if batch.joined is not None]
        self._rates = slot_learning_rates(training.model)
        self._dense_rate = np.float32(training.model.dense_learning_rate)
        self._dense = initial_dense_weights(training.model)
        self._moments = {
            name: np.zeros((2, *weight.shape), np.float32) for name, weight in self._dense.items()
        }
        requests = [self._step.pull_request(batch, "plain") for batch in self._batches]
        self._rows: dict[str, FloatArray] = {}
        self._squares: dict[str, FloatArray] = {}
        self._places: list[dict[str, IntArray]] = [{} for _ in requests]
        for slot, dimension in slot_dimensions(training.model).items():
            known = np.unique(np.concatenate([request.ids[slot] for request in requests]))
            self._rows[slot] = initial_rows(known, dimension, 0.01, slot)
            self._squares[slot] = np.full((len(known), dimension), _INITIAL_ACCUMULATOR)
            for places, request in zip(self._places, requests, strict=True):
                places[slot] = np.searchsorted(known, request.ids[slot])
        self._counters = [
            None if request.counter_ids is None else CounterRows.zeros(request.counter_ids)
            for request in requests
        ]

    def examples_per_s(self) -> float:
        """Learn all batches once."""
        num_rows = 0
        started = time.perf_counter()
        for number, batch in enumerate(self._batches):
            places = self._places[number]
            values = {slot: self._rows[slot][at] for slot, at in places.items()}
            result = self._step.run(batch, values, self._dense, self._counters[number])
            for slot, gradients in result.rows.items():
                self._move_rows(slot, places[slot], gradients.gradients)
            for name, gradient in result.dense.items():
                self._move_dense(name, gradient, number + 1)
            num_rows += len(batch)
        return num_rows / (time.perf_counter() - started)

    def _move_rows(self, slot: str, places: IntArray, gradients: FloatArray) -> None:
        squares = self._squares[slot][places] + gradients * gradients
        self._squares[slot][places] = squares
        self._rows[slot][places] -= np.float32(self._rates[slot]) * gradients / np.sqrt(squares)

    def _move_dense(self, name: str, gradient: FloatArray, step: int) -> None:
        first, second = self._moments[name]
        first += np.float32(0.1) * (gradient - first)
        second += np.float32(0.001) * (gradient * gradient - second)
        correction = np.float32(np.sqrt(1 - 0.999**step) / (1 - 0.9**step))
        self._dense[name] -= self._dense_rate * correction * first / (np.sqrt(second) + np.float32(1e-8))


def vw_rows_per_s(batches: list[ExampleBatch]) -> float | None:
    """Return how many joined rows a second Vowpal Wabbit learns `engage` from; None where it is not here."""
    if importlib.util.find_spec("vowpalwabbit") is None:
        return None
    lines = [line for batch in batches for line in _vw_lines(batch)]
    workspace = importlib.import_module("vowpalwabbit").Workspace(
        "--quiet --loss_function logistic -b 22 -q uc -q us"
    )
    started = time.perf_counter()
    for line in lines:
        workspace.learn(line)
    seconds = time.perf_counter() - started
    workspace.finish()
    return len(lines) / seconds


def _vw_lines(batch: ExampleBatch) -> list[str]:
    joined = batch.joined
    if joined is None:
        return []
    ids = joined.features.ids
    columns: list[AnyArray] = [
        is_positive(joined.labels[:, HEAD_INDEX["engage"]]),
        *(ids[name] for name in ("user", "content", "creator", "category", "audio", "surface", "hour")),
    ]
    return [
        f"{1 if engaged else -1} |u {user} |c {content} m{creator} k{category} a{audio} |s {surface} h{hour}"
        for engaged, user, content, creator, category, audio, surface, hour in zip(
            *(column.tolist() for column in columns), strict=True
        )
    ]
