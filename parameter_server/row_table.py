"""Rows found by id, in the order of their last change: what all tables have in common."""

from __future__ import annotations

import numpy as np

from messages.arrays import AnyArray, BoolArray, IdArray, IntArray
from messages.identifiers import MISSING_KEY
from parameter_server.cuckoo_index import CuckooIndex
from parameter_server.recency import TIME
from parameter_server.row_storage import RowStorage

_LATEST = float(np.iinfo(np.uint32).max)


def time_word(seconds: float) -> int:
    """Return epoch seconds as a row keeps them: whole, 32 bits, good until 2106."""
    return int(min(max(seconds, 0.0), _LATEST))


class RowTable:
    """An index and the storage of its rows. version, time: of a change, rising from call to call."""

    def __init__(self, num_words: int) -> None:
        """num_words: of 32 bits, a row's without its header."""
        self.index = CuckooIndex()
        self.storage = RowStorage(num_words)
        self._looked_up: tuple[IdArray, IntArray] | None = None

    def __len__(self) -> int:
        return len(self.index)

    @property
    def num_bytes(self) -> int:
        return self.index.num_bytes + self.storage.num_bytes

    def holds(self, ids: IdArray) -> BoolArray:
        """Say which ids have a row, bool [m]."""
        return self.index.find(ids) >= 0

    def find(self, ids: IdArray) -> IntArray:
        """Return the row of each id, int64 [m], -1 where it has none; remembers the answer for `rows_for`.

        A learner pushes to the rows that it has just pulled.
        """
        rows = self.index.find(ids)
        self._looked_up = (np.array(ids), rows)
        return rows

    def rows_for(self, ids: IdArray) -> IntArray:
        """Return the row of each id, int64 [m], giving one to each that has none; -1 for MISSING_KEY.

        The caller must write or touch every new row at once: until then it is in no order.
        """
        rows = self.index.find_or_insert(ids, self._known_rows(ids))
        self.storage.reserve(self.index.num_row_slots)
        return rows

    def _known_rows(self, ids: IdArray) -> IntArray | None:
        if self._looked_up is None or not np.array_equal(self._looked_up[0], ids):
            return None
        return self._looked_up[1]

    def put(self, ids: IdArray, words: AnyArray, version: int, time: int) -> None:
        """Write whole rows. ids: uint64 [m], unique, none MISSING_KEY. words: uint32 [m, num_words]."""
        self.storage.write(self.rows_for(ids), ids, words, version, time)

    def load(self, ids: IdArray, words: AnyArray, times: IntArray) -> None:
        """Take over rows that are not here, each with the time of its last change, int64 [m]."""
        num_before = len(self)
        rows = self.rows_for(ids)
        if len(self) - num_before != len(ids):
            raise ValueError("rows that are taken over must be new here")
        self.storage.load(rows, ids, words, times)

    def erase(self, ids: IdArray) -> IdArray:
        """Forget rows and return the ids that were there, uint64 [k]."""
        self._looked_up = None
        rows = self.index.erase(ids)
        gone = rows >= 0
        self.storage.clear(rows[gone])
        return ids[gone]

    def least_recent(self, least: int, before: int) -> IdArray:
        """Return the ids last changed before a time, and at least so many of the oldest, oldest first."""
        return self.storage.ids_of(self.storage.least_recent(min(least, len(self)), before))

    def used(self, rows: IntArray) -> tuple[IdArray, IntArray]:
        """Return the ids and numbers of those rows that are in use."""
        ids = self.storage.ids_of(rows)
        in_use = ids != MISSING_KEY
        return ids[in_use], rows[in_use]

    def rows_since(self, version: int) -> IntArray:
        """Return the numbers of the rows changed after `version`; -1 for all row numbers there are."""
        if version < 0:
            return np.arange(self.index.num_row_slots, dtype=np.int64)
        return self.storage.changed_since(version)

    def times_of(self, rows: IntArray) -> IntArray:
        """Return when rows last changed, epoch seconds, int64 [m]."""
        return self.storage.headers(rows)[:, TIME].astype(np.int64)
