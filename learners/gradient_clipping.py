"""Bounds on gradients, so that one strange batch cannot throw the weights far off."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from messages.arrays import FloatArray


def norm_of(gradients: Iterable[FloatArray]) -> float:
    """Return the Euclidean norm of all of them together; not finite where any entry is not."""
    return float(np.sqrt(sum(float(np.vdot(gradient, gradient)) for gradient in gradients)))


def clipped_rows(gradients: FloatArray, limit: float) -> FloatArray:
    """Shorten each row, float32 [m, d], to the length `limit` where it is longer."""
    norms = np.sqrt(np.einsum("md,md->m", gradients, gradients))
    if not (norms > limit).any():
        return gradients
    shortened: FloatArray = gradients * np.minimum(1.0, limit / np.maximum(norms, limit))[:, None]
    return shortened.astype(np.float32, copy=False)
