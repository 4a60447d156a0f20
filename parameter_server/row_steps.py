"""One optimizer's step on one row, to be fused into a pass over many.

values, gradient: float32 [dimension]. state: float32 [state width]. constants: as `RowOptimizer` lays them
out. Sums may be reordered and products fused: that is what lets them be computed eight at a time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

_ONE = np.float32(1.0)
_REORDER = {"contract", "reassoc", "nsz"}


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_REORDER)
def clip_factor(gradient: Any, largest_norm: Any) -> Any:
    """Return what to multiply a gradient with so that its norm is not larger; inf for no bound."""
    if largest_norm == np.float32(np.inf):
        return _ONE
    square = 0.0
    for column in range(len(gradient)):
        square += np.float64(gradient[column]) * np.float64(gradient[column])
    norm = np.float32(np.sqrt(square))
    return _ONE if norm <= largest_norm else largest_norm / norm


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_REORDER)
def step_adagrad(values: Any, state: Any, gradient: Any, rate: Any, constants: Any) -> None:
    epsilon = constants[4]
    for column in range(len(values)):
        square = state[column] + gradient[column] * gradient[column]
        state[column] = square
        values[column] -= rate * gradient[column] / (np.sqrt(square) + epsilon)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_REORDER)
def step_rowwise_adagrad(values: Any, state: Any, gradient: Any, rate: Any, constants: Any) -> None:
    epsilon = constants[4]
    square = np.float32(0.0)
    for column in range(len(values)):
        square += gradient[column] * gradient[column]
    state[0] += square / np.float32(len(values))
    row_rate = rate / (np.sqrt(state[0]) + epsilon)
    for column in range(len(values)):
        values[column] -= row_rate * gradient[column]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_REORDER)
def step_adam(values: Any, state: Any, gradient: Any, rate: Any, constants: Any) -> None:
    """State: the row's number of steps, then the first and the second moments."""
    beta1, beta2, epsilon = constants[2], constants[3], constants[4]
    dimension = len(values)
    state[0] += _ONE
    correction = np.sqrt(_ONE - beta2 ** state[0]) / (_ONE - beta1 ** state[0])
    for column in range(dimension):
        mean = beta1 * state[1 + column] + (_ONE - beta1) * gradient[column]
        square = beta2 * state[1 + dimension + column] + (_ONE - beta2) * gradient[column] * gradient[column]
        state[1 + column] = mean
        state[1 + dimension + column] = square
        values[column] -= rate * correction * mean / (np.sqrt(square) + epsilon)


@njit(cache=True, nogil=True, error_model="numpy")
def step_ftrl(values: Any, state: Any, gradient: Any, rate: Any, constants: Any) -> None:
    """FTRL-proximal, per coordinate (McMahan et al., KDD 2013, algorithm 1). State: z, then n.

    A new row's z is what its first values are the solution of, so that it may begin at random values.
    """
    l2, l1, beta = constants[0], constants[6], constants[7]
    dimension = len(values)
    if rate == np.float32(0.0):
        return
    for column in range(dimension):
        weight, slope = values[column], gradient[column]
        total = state[dimension + column]
        steadied = state[column]
        if np.isnan(steadied):
            steadied = -weight * ((beta + np.sqrt(total)) / rate + l2) - np.sign(weight) * l1
        grown = total + slope * slope
        steadied += slope - (np.sqrt(grown) - np.sqrt(total)) / rate * weight
        state[column] = steadied
        state[dimension + column] = grown
        if abs(steadied) <= l1:
            values[column] = np.float32(0.0)
        else:
            shrunk = steadied - np.sign(steadied) * l1
            values[column] = -shrunk / ((beta + np.sqrt(grown)) / rate + l2)
