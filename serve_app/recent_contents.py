"""The newest contents of each creator, of each category: row numbers behind one key."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import chain

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

    def rows_of(self, keys: Sequence[int], key_column: IdArray) -> tuple[IntArray, IdArray]:
        """Return the rows of each key, newest first, one key after the other, int64 [n], and whose each is.

        A row stands once with a key. key_column: uint64 [capacity], the key that each row has now.
        """
        by_key = [self._rows.get(key, ()) for key in keys]
        lengths = [len(rows) for rows in by_key]
        rows = np.fromiter(chain.from_iterable(map(reversed, by_key)), np.int64, sum(lengths))
        owners = np.repeat(np.array(keys, dtype=np.uint64), lengths)
        kept = np.flatnonzero(key_column[rows] == owners)
        return rows[kept], owners[kept]
