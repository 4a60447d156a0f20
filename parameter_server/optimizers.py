"""Optimizers as fused kernels: one pass over a row finds, decays, clips and moves it.

Rows: plain gradient descent, Adagrad (Duchi et al. 2011), row-wise Adagrad (one accumulator a row, as in
FBGEMM and TorchRec) and Adam (Kingma and Ba 2015) that moves touched rows only, counting steps per row.
Dense weights: Adam.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray, njit

from messages.arrays import FloatArray, IdArray, IntArray
from parameter_server.initializers import fill_initial
from parameter_server.native_memory import kernel_input, pointer_to
from parameter_server.row_storage import HEADER_BYTES, RowStorage, prefetch_row, row_address
from parameter_server.settings import DenseSettings, OptimizerName, SlotSettings

_CODES: dict[OptimizerName, int] = {"sgd": 0, "adagrad": 1, "rowwise_adagrad": 2, "adam": 3}
_ADAGRAD, _ROWWISE_ADAGRAD, _ADAM = 1, 2, 3


def state_width(settings: SlotSettings) -> int:
    """Return how many float32 of optimizer state stand behind the values of one row."""
    widths = {
        "sgd": 0,
        "adagrad": settings.dimension,
        "rowwise_adagrad": 1,
        "adam": 2 * settings.dimension + 1,
    }
    return widths[settings.optimizer]


def initial_state(settings: SlotSettings) -> FloatArray:
    """Return the optimizer state of a new row, float32 [state_width]."""
    begins = settings.initial_accumulator if "adagrad" in settings.optimizer else 0.0
    return np.full(state_width(settings), begins, dtype=np.float32)


class RowOptimizer:
    """Applies gradients to the rows of one table; a row that is new begins at its initial value."""

    def __init__(self, settings: SlotSettings, seed: np.uint64) -> None:
        self._settings = settings
        self._seed = seed
        self._code = _CODES[settings.optimizer]
        self._initial_state = initial_state(settings)
        clip = np.inf if settings.clip is None else settings.clip
        self._constants = np.array(
            [settings.l2, clip, settings.beta1, settings.beta2, settings.epsilon, settings.initial_scale],
            dtype=np.float32,
        )

    def apply(
        self,
        storage: RowStorage,
        rows: IntArray,
        ids: IdArray,
        gradients: FloatArray,
        version: int,
        learning_rate_scale: float,
    ) -> IntArray:
        """Move rows against their gradients and return those that were touched, int64 [k], each once.

        rows: int64 [m], -1 to drop. ids: uint64 [m]. gradients: float32 [m, dimension]. version: written into
        each row; higher than any before.
        """
        touched = np.empty(len(rows), dtype=np.int64)
        num_touched = _apply_rows(
            kernel_input(rows, np.int64),
            kernel_input(ids, np.uint64),
            kernel_input(gradients, np.float32),
            storage.addresses,
            storage.row_bytes,
            np.uint64(version),
            self._code,
            np.float32(self._settings.learning_rate * learning_rate_scale),
            self._constants,
            self._seed,
            self._initial_state,
            touched,
        )
        return touched[:num_touched]


def apply_dense(
    settings: DenseSettings,
    values: FloatArray,
    first: FloatArray,
    second: FloatArray,
    gradient: FloatArray,
    step: int,
    learning_rate_scale: float,
) -> None:
    """Do Adam's step number `step` = 0, 1, ... in place. All arrays: float32 of one size, C order."""
    beta1, beta2 = settings.beta1, settings.beta2
    correction = np.sqrt(1.0 - beta2 ** (step + 1)) / (1.0 - beta1 ** (step + 1))
    _apply_dense(
        values.reshape(-1),
        first.reshape(-1),
        second.reshape(-1),
        kernel_input(gradient, np.float32).reshape(-1),
        np.float32(settings.rate_at(step) * learning_rate_scale * correction),
        np.float32(settings.l2),
        np.float32(np.inf if settings.clip_norm is None else settings.clip_norm),
        np.float32(beta1),
        np.float32(beta2),
        np.float32(settings.epsilon),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _clip_factor(gradient: Any, largest_norm: Any) -> Any:
    if not np.isfinite(largest_norm):
        return np.float32(1.0)
    square = 0.0
    for column in range(len(gradient)):
        square += np.float64(gradient[column]) * np.float64(gradient[column])
    norm = np.float32(np.sqrt(square))
    return np.float32(1.0) if norm <= largest_norm else largest_norm / norm


@njit(cache=True, nogil=True, error_model="numpy")
def _apply_rows(
    rows: Any,
    ids: Any,
    gradients: Any,
    addresses: Any,
    row_bytes: Any,
    version: Any,
    optimizer: Any,
    rate: Any,
    constants: Any,
    seed: Any,
    initial_state: Any,
    touched: Any,
) -> Any:
    dimension = gradients.shape[1]
    l2, clip, beta1 = constants[0], constants[1], constants[2]
    beta2, epsilon, scale = constants[3], constants[4], constants[5]
    one = np.float32(1.0)
    gradient = np.empty(dimension, dtype=np.float32)
    num_touched = 0
    for index in range(len(rows)):
        prefetch_row(addresses, rows, index, row_bytes)
        if rows[index] < 0:
            continue
        address = row_address(addresses, rows[index], row_bytes)
        header = carray(pointer_to(address), (2,), np.uint64)
        body = address + np.uint64(HEADER_BYTES)
        values = carray(pointer_to(body), (dimension,), np.float32)
        state_address = body + np.uint64(4 * dimension)
        state = carray(pointer_to(state_address), (len(initial_state),), np.float32)
        if header[0] == np.uint64(0):
            header[0] = ids[index]
            fill_initial(ids[index], seed, scale, values)
            state[:] = initial_state
        if header[1] != version:
            header[1] = version
            touched[num_touched] = rows[index]
            num_touched += 1

        factor = _clip_factor(gradients[index], clip)
        for column in range(dimension):
            gradient[column] = gradients[index, column] * factor + l2 * values[column]

        if optimizer == _ADAGRAD:
            for column in range(dimension):
                square = state[column] + gradient[column] * gradient[column]
                state[column] = square
                values[column] -= rate * gradient[column] / (np.sqrt(square) + epsilon)
        elif optimizer == _ROWWISE_ADAGRAD:
            mean_square = np.float32(0.0)
            for column in range(dimension):
                mean_square += gradient[column] * gradient[column] / np.float32(dimension)
            state[0] += mean_square
            row_rate = rate / (np.sqrt(state[0]) + epsilon)
            for column in range(dimension):
                values[column] -= row_rate * gradient[column]
        elif optimizer == _ADAM:
            state[0] += one
            correction = np.sqrt(one - beta2 ** state[0]) / (one - beta1 ** state[0])
            first = carray(pointer_to(state_address + np.uint64(4)), (dimension,), np.float32)
            second_address = state_address + np.uint64(4 + 4 * dimension)
            second = carray(pointer_to(second_address), (dimension,), np.float32)
            for column in range(dimension):
                mean = beta1 * first[column] + (one - beta1) * gradient[column]
                square = beta2 * second[column] + (one - beta2) * gradient[column] * gradient[column]
                first[column] = mean
                second[column] = square
                values[column] -= rate * correction * mean / (np.sqrt(square) + epsilon)
        else:
            for column in range(dimension):
                values[column] -= rate * gradient[column]
    return num_touched


@njit(cache=True, nogil=True, error_model="numpy")
def _apply_dense(
    values: Any,
    first: Any,
    second: Any,
    gradient: Any,
    rate: Any,
    l2: Any,
    clip: Any,
    beta1: Any,
    beta2: Any,
    epsilon: Any,
) -> None:
    one = np.float32(1.0)
    factor = _clip_factor(gradient, clip)
    for place in range(len(values)):
        slope = gradient[place] * factor + l2 * values[place]
        mean = beta1 * first[place] + (one - beta1) * slope
        square = beta2 * second[place] + (one - beta2) * slope * slope
        first[place] = mean
        second[place] = square
        values[place] -= rate * mean / (np.sqrt(square) + epsilon)
