"""Adam on a dense weight array (Kingma and Ba 2015), fused into one pass."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from messages.arrays import FloatArray
from parameter_server.native_memory import kernel_input
from parameter_server.row_steps import clip_factor
from parameter_server.settings import DenseSettings


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
    factor = clip_factor(gradient, clip)
    for place in range(len(values)):
        slope = gradient[place] * factor + l2 * values[place]
        mean = beta1 * first[place] + (one - beta1) * slope
        square = beta2 * second[place] + (one - beta2) * slope * slope
        first[place] = mean
        second[place] = square
        values[place] -= rate * mean / (np.sqrt(square) + epsilon)
