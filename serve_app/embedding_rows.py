"""The rows of one slot as a replica holds them: values alone, no optimizer state."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from messages.arrays import FloatArray, IdArray
from messages.updates import Rows
from parameter_server.cuckoo_index import CuckooIndex
from serve_app.growing_array import GrowingArray


class EmbeddingRows:
    """id -> float32 [dimension]; an id without a row reads as its initial value, as it does on the shards.

    One thread reads and writes. initial: uint64 [m] -> float32 [m, dimension], a pure function of the ids.
    """

    def __init__(self, dimension: int, initial: Callable[[IdArray], FloatArray]) -> None:
        self.dimension = dimension
        self._initial = initial
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
        found = self._index.find(ids)
        values: FloatArray = self._values.values[found]
        missing = found < 0
        if missing.any():
            values[missing] = self._initial(ids[missing])
        return values
