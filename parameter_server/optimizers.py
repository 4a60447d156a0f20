"""Optimizers as fused kernels: one pass over a row finds, decays, clips and moves it.

Rows: plain gradient descent, Adagrad (Duchi et al. 2011), row-wise Adagrad (one accumulator a row, as in
FBGEMM and TorchRec), Adam (Kingma and Ba 2015) that moves touched rows only, counting steps per row, and
FTRL-proximal (McMahan et al., KDD 2013). Dense weights: Adam.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray, njit

from messages.arrays import FloatArray, IdArray, IntArray
from parameter_server.initializers import fill_initial
from parameter_server.native_memory import kernel_input, pointer_to
from parameter_server.recency import HEADER_BYTES, header_at, row_address, touch
from parameter_server.row_steps import clip_factor, step_adagrad, step_adam, step_ftrl, step_rowwise_adagrad
from parameter_server.row_storage import RowStorage, prefetch_neighbours, prefetch_row
from parameter_server.settings import OptimizerName, SlotSettings

_CODES: dict[OptimizerName, int] = {"sgd": 0, "adagrad": 1, "rowwise_adagrad": 2, "adam": 3, "ftrl": 4}
_ADAGRAD, _ROWWISE_ADAGRAD, _ADAM, _FTRL = 1, 2, 3, 4


def state_width(settings: SlotSettings) -> int:
    """Return how many float32 of optimizer state stand behind the values of one row."""
    widths = {
        "sgd": 0,
        "adagrad": settings.dimension,
        "rowwise_adagrad": 1,
        "adam": 2 * settings.dimension + 1,
        "ftrl": 2 * settings.dimension,
    }
    return widths[settings.optimizer]


def initial_state(settings: SlotSettings) -> FloatArray:
    """Return the optimizer state of a new row, float32 [state_width].

    FTRL keeps z, then n; NaN for z says that it is yet to be computed from the row's first values.
    """
    begins = 0.0 if settings.optimizer in ("sgd", "adam") else settings.initial_accumulator
    state: FloatArray = np.full(state_width(settings), begins, dtype=np.float32)
    if settings.optimizer == "ftrl":
        state[: settings.dimension] = np.nan
    return state


class RowOptimizer:
    """Applies gradients to the rows of one table; a row that is new begins at its initial value."""

    def __init__(self, settings: SlotSettings, seed: np.uint64) -> None:
        self._settings = settings
        self._seed = seed
        self._code = _CODES[settings.optimizer]
        self._initial_state = initial_state(settings)
        clip = np.inf if settings.clip is None else settings.clip
        self._constants = np.array(
            [
                settings.l2,
                clip,
                settings.beta1,
                settings.beta2,
                settings.epsilon,
                settings.initial_scale,
                settings.l1,
                settings.beta,
            ],
            dtype=np.float32,
        )

    def apply(
        self,
        storage: RowStorage,
        rows: IntArray,
        ids: IdArray,
        gradients: FloatArray,
        rate: float,
        version: int,
        time: int,
    ) -> int:
        """Move rows against their gradients, touch them, and return how many were new.

        rows: int64 [m], -1 to drop. ids: uint64 [m]. gradients: float32 [m, dimension]. version, time: of
        this change; not lower than any before.
        """
        num_new: int = _apply_rows(
            kernel_input(rows, np.int64),
            kernel_input(ids, np.uint64),
            kernel_input(gradients, np.float32),
            storage.addresses,
            storage.row_bytes,
            storage.ends,
            np.uint32(version),
            np.uint32(time),
            self._code,
            np.float32(rate),
            self._constants,
            self._seed,
            self._initial_state,
        )
        return num_new


@njit(cache=True, nogil=True, error_model="numpy")
def _apply_rows(
    rows: Any,
    ids: Any,
    gradients: Any,
    addresses: Any,
    row_bytes: Any,
    ends: Any,
    version: Any,
    time: Any,
    optimizer: Any,
    rate: Any,
    constants: Any,
    seed: Any,
    initial_state: Any,
) -> Any:
    dimension = gradients.shape[1]
    l2, clip = constants[0], constants[1]
    scale = constants[5]
    penalty = np.float32(0.0) if optimizer == _FTRL else l2
    gradient = np.empty(dimension, dtype=np.float32)
    num_new = 0
    for index in range(len(rows)):
        prefetch_row(addresses, rows, index, row_bytes)
        prefetch_neighbours(addresses, rows, index, row_bytes)
        if rows[index] < 0:
            continue
        address = row_address(addresses, rows[index], row_bytes)
        body = address + np.uint64(HEADER_BYTES)
        values = carray(pointer_to(body), (dimension,), np.float32)
        state = carray(pointer_to(body + np.uint64(4 * dimension)), (len(initial_state),), np.float32)
        if touch(header_at(address), rows[index], ids[index], version, time, addresses, row_bytes, ends):
            num_new += 1
            fill_initial(ids[index], seed, scale, values)
            state[:] = initial_state

        factor = clip_factor(gradients[index], clip)
        for column in range(dimension):
            gradient[column] = gradients[index, column] * factor + penalty * values[column]

        if optimizer == _ROWWISE_ADAGRAD:
            step_rowwise_adagrad(values, state, gradient, rate, constants)
        elif optimizer == _ADAGRAD:
            step_adagrad(values, state, gradient, rate, constants)
        elif optimizer == _ADAM:
            step_adam(values, state, gradient, rate, constants)
        elif optimizer == _FTRL:
            step_ftrl(values, state, gradient, rate, constants)
        else:
            for column in range(dimension):
                values[column] -= rate * gradient[column]
    return num_new
