"""Columns that grow by doubling, so that adding a row costs the same however many there are."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from messages.arrays import AnyArray, IntArray

_FIRST_CAPACITY = 256


class GrowingArray:
    """An array of rows with spare room at its end; rows never written hold `fill`."""

    def __init__(self, dtype: npt.DTypeLike, row_shape: tuple[int, ...] = (), fill: Any = 0) -> None:
        self._fill = fill
        self._values = self._made((_FIRST_CAPACITY, *row_shape), np.dtype(dtype))

    @property
    def values(self) -> AnyArray:
        """The rows with the spare room, [capacity, ...]; not to be kept across `reserve`."""
        return self._values

    @property
    def nbytes(self) -> int:
        return int(self._values.nbytes)

    def reserve(self, num_rows: int) -> None:
        """Make room for `num_rows` rows."""
        capacity = len(self._values)
        if num_rows <= capacity:
            return
        while capacity < num_rows:
            capacity *= 2
        grown = self._made((capacity, *self._values.shape[1:]), self._values.dtype)
        grown[: len(self._values)] = self._values
        self._values = grown

    def put(self, rows: IntArray, values: Any) -> None:
        """Write rows (their numbers in any order), making room where needed."""
        if len(rows):
            self.reserve(int(rows.max()) + 1)
            self._values[rows] = values

    def _made(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> AnyArray:
        if self._fill == 0:
            return np.zeros(shape, dtype=dtype)  # spare room that nobody has written to takes no memory
        return np.full(shape, self._fill, dtype=dtype)
