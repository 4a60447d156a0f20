"""The rows of one slot as a replica holds them: values alone, no optimizer state."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from messages.arrays import FloatArray, IdArray
from messages.features import IdBags
from messages.updates import Rows
from parameter_server.cuckoo_index import CuckooIndex
from parameter_server.cuckoo_kernels import find
from parameter_server.initializers import fill_initial, slot_seed
from parameter_server.native_memory import kernel_input
from serve_app.growing_array import GrowingArray
from serve_app.row_prefetch import AHEAD, ask_for


class EmbeddingRows:
    """id -> float32 [dimension]; an id without a row reads as its initial value, as it does on the shards.

    One thread reads and writes. slot, initial_scale: of what a function of the id alone gives as first value.
    """

    def __init__(self, slot: str, dimension: int, initial_scale: float) -> None:
        self.dimension = dimension
        self._seed = slot_seed(slot)
        self._scale = np.float32(initial_scale)
        self._index = CuckooIndex()
        self._values = GrowingArray(np.float32, (dimension,))

    def __len__(self) -> int:
        return len(self._index)

    @property
    def nbytes(self) -> int:
        return self._values.nbytes

    def put(self, rows: Rows) -> None:
        """Write values absolute; ids are unique within `rows`, and MISSING_KEY is left out."""
        numbers = self._index.find_or_insert(rows.ids)
        stored = numbers >= 0
        self._values.put(numbers[stored], rows.values[stored])

    def remove(self, ids: IdArray) -> None:
        """Forget rows; ids without one are left out silently (a removal may be told twice)."""
        self._index.erase(ids)

    def read(self, ids: IdArray) -> FloatArray:
        """Return a fresh float32 [m, dimension]; ids may repeat."""
        values = np.empty((len(ids), self.dimension), dtype=np.float32)
        self.copy(ids, values, 0)
        return values

    def copy(self, ids: IdArray, into: FloatArray, column: int) -> None:
        """Write the row of each id into a row of `into`, float32 [m, w], from `column` on."""
        keys = kernel_input(ids, np.uint64)
        _copy(*self._index.parts, keys, self._values.values, self._seed, self._scale, into, column)

    def copy_means(self, bags: IdBags, into: FloatArray, column: int) -> None:
        """Write the mean of each bag's rows, zeros for an empty bag. bags: m of them."""
        keys, parts, rows = kernel_input(bags.values, np.uint64), self._index.parts, self._values.values
        _copy_means(*parts, keys, rows, bags.offsets, self._seed, self._scale, into, column)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _copy(bases: Any, sizes: Any, ids: Any, rows: Any, seed: Any, scale: Any, into: Any, column: Any) -> None:
    """Copy the row of each id that has one; write the initial value of each other. bases, sizes: of the
    index."""
    found = np.empty(len(ids), dtype=np.int64)
    find(bases, sizes, ids, found)
    width = rows.shape[1]
    for index in range(min(AHEAD, len(found))):
        ask_for(rows, found[index])
    for index in range(len(found)):
        if index + AHEAD < len(found):
            ask_for(rows, found[index + AHEAD])
        target = into[index, column : column + width]
        if found[index] < 0:
            fill_initial(ids[index], seed, scale, target)
        else:
            row = rows[found[index]]
            for offset in range(width):
                target[offset] = row[offset]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _copy_means(
    bases: Any,
    sizes: Any,
    ids: Any,
    rows: Any,
    offsets: Any,
    seed: Any,
    scale: Any,
    into: Any,
    column: Any,
) -> None:
    """Write the mean of each bag's rows, those not found by their initial values; zeros for no rows."""
    found = np.empty(len(ids), dtype=np.int64)
    find(bases, sizes, ids, found)
    width = rows.shape[1]
    initial = np.empty(width, dtype=np.float32)
    for place in range(min(AHEAD, len(found))):
        ask_for(rows, found[place])
    for bag in range(len(offsets) - 1):
        start, end = offsets[bag], offsets[bag + 1]
        target = into[bag, column : column + width]
        for offset in range(width):
            target[offset] = 0
        for place in range(start, end):
            if place + AHEAD < len(found):
                ask_for(rows, found[place + AHEAD])
            row = initial
            if found[place] < 0:
                fill_initial(ids[place], seed, scale, initial)
            else:
                row = rows[found[place]]
            for offset in range(width):
                target[offset] += row[offset]
        if end > start:
            count = np.float32(end - start)
            for offset in range(width):
                target[offset] /= count
