"""Asking for rows of large tables before they are read: between two requests they go cold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from parameter_server.native_memory import prefetch

_CACHE_LINE = np.uint64(64)

AHEAD = 16
"""Rows that a pass over scattered ones asks for before it needs them."""


@njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def ask_for(rows: Any, row: Any) -> None:
    """Ask for the first and the last cache line of a row, which few are longer than; for those of row 0 where
    the number is below."""
    num_bytes = np.uint64(rows.strides[0])
    start = np.uint64(rows.ctypes.data) + np.uint64(max(row, 0)) * num_bytes
    prefetch(start)
    if num_bytes > np.uint64(8):
        prefetch(start + num_bytes - np.uint64(1))


@njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def ask_for_whole(rows: Any, row: Any) -> None:
    """Ask for all cache lines of a row that there is."""
    num_bytes = np.uint64(rows.strides[0])
    start = np.uint64(rows.ctypes.data) + np.uint64(row) * num_bytes
    for offset in range(np.uint64(0), num_bytes, _CACHE_LINE):
        prefetch(start + offset)
