"""The value of a row that nobody has trained yet: a pure function of (slot, id, column).

So a missing row need not be stored to be read, and a replica, a shard and a restored shard all agree on it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from messages.arrays import FloatArray, IdArray
from messages.identifiers import MISSING_KEY, key_of
from parameter_server.native_memory import kernel_input

_INCREMENT = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_MISSING = np.uint64(MISSING_KEY)
_UNIT = np.float32(2.0**-23)


def slot_seed(slot: str) -> np.uint64:
    """Return the seed that makes the same id begin differently in each slot."""
    return np.uint64(key_of(slot))


def initial_rows(ids: IdArray, dimension: int, scale: float, slot: str) -> FloatArray:
    """Return the first values of rows, uniform in [-scale, scale); MISSING_KEY reads as zeros.

    ids: uint64 [m]. Returns float32 [m, dimension].
    """
    rows = np.empty((len(ids), dimension), dtype=np.float32)
    _fill_rows(kernel_input(ids, np.uint64), slot_seed(slot), np.float32(scale), rows)
    return rows


@njit(cache=True, nogil=True, inline="always")
def scramble(key: Any) -> Any:
    """Mix 64 bits as `messages.identifiers.mix` does (splitmix64's finalizer, Steele et al., OOPSLA 2014)."""
    mixed = key + _INCREMENT
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _FIRST
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
    return mixed ^ (mixed >> np.uint64(31))


@njit(cache=True, nogil=True)
def fill_initial(key: Any, seed: Any, scale: Any, row: Any) -> None:
    """Write the first values of one row: two columns from each draw, of 24 bits, exact in float32."""
    if key == _MISSING:
        row[:] = np.float32(0.0)
        return
    state = scramble(key ^ seed)
    for column in range(0, len(row), 2):
        draw = scramble(state + np.uint64(column))
        row[column] = (np.float32(draw >> np.uint64(40)) * _UNIT - np.float32(1.0)) * scale
        if column + 1 < len(row):
            low = (draw >> np.uint64(8)) & np.uint64(0xFFFFFF)
            row[column + 1] = (np.float32(low) * _UNIT - np.float32(1.0)) * scale


@njit(cache=True, nogil=True)
def _fill_rows(ids: Any, seed: Any, scale: Any, rows: Any) -> None:
    for index in range(len(ids)):
        fill_initial(ids[index], seed, scale, rows[index])
