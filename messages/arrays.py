"""The array types that travel between the rooms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

IdArray: TypeAlias = npt.NDArray[np.uint64]
FloatArray: TypeAlias = npt.NDArray[np.float32]
DoubleArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
ByteArray: TypeAlias = npt.NDArray[np.uint8]
AnyArray: TypeAlias = npt.NDArray[Any]


def stack_known(parts: Sequence[tuple[int, FloatArray | None]]) -> FloatArray | None:
    """Stack float32 columns of these lengths, NaN for those that are None; None where all are."""
    stacked: FloatArray | None = _stacked(parts, np.float32(np.nan))
    return stacked


def stack_counts(parts: Sequence[tuple[int, IntArray | None]]) -> IntArray | None:
    """Stack int64 columns of these lengths, 0 for those that are None; None where all are."""
    stacked: IntArray | None = _stacked(parts, np.int64(0))
    return stacked


def _stacked(parts: Sequence[tuple[int, Any]], missing: np.generic) -> Any:
    if all(column is None for _, column in parts):
        return None
    columns = [np.full(rows, missing) if column is None else column for rows, column in parts]
    return np.concatenate(columns)
