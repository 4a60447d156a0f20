"""The newest contents of each creator, of each category: row numbers behind one key."""

from __future__ import annotations

from collections import deque

import numpy as np

from messages.arrays import IdArray, IntArray
from messages.identifiers import MISSING_KEY


class RecentContents:
    """key -> the rows of its last `per_key` contents, in the order in which they came.

    Rows are not taken out when a content is removed or its number is used again: `rows_of` compares the rows'
    own keys.
    """

    def __init__(self, per_key: int) -> None:
        self._per_key = per_key
        self._rows: dict[int, deque[int]] = {}

    def add(self, keys: IdArray, rows: IntArray) -> None:
        """Put contents behind their keys; a key of MISSING_KEY is left out."""
        for key, row in zip(keys.tolist(), rows.tolist(), strict=True):
            if key == MISSING_KEY:
                continue
            kept = self._rows.setdefault(key, deque(maxlen=self._per_key))
            if row not in kept:
                kept.append(row)

    def rows_of(self, key: int, key_column: IdArray) -> IntArray:
        """Return the rows of one key, newest first, each once, int64 [<= per_key].

        key_column: uint64 [capacity], the key that each row has now.
        """
        rows = np.array(list(self._rows.get(key, ()))[::-1], dtype=np.int64)
        kept: IntArray = rows[key_column[rows] == np.uint64(key)]
        return kept
