"""The rows of one slot as a replica holds them: values alone, no optimizer state."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from messages.arrays import FloatArray, IdArray
from messages.updates import Rows
from parameter_server.cuckoo_index import CuckooIndex
from parameter_server.initializers import fill_initial, slot_seed
from parameter_server.native_memory import kernel_input
from serve_app.growing_array import GrowingArray


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
        found = self._index.find(ids)
        _gather(found, self._values.values, kernel_input(ids, np.uint64), self._seed, self._scale, values)
        return values


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _gather(found: Any, rows: Any, ids: Any, seed: Any, scale: Any, values: Any) -> None:
    """Copy each row that was found; write the initial value of each other."""
    for index in range(len(found)):
        if found[index] < 0:
            fill_initial(ids[index], seed, scale, values[index])
        else:
            values[index] = rows[found[index]]
