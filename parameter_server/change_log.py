"""Which rows changed when: what lets any number of readers ask for the changes after a version they name.

Monolith keeps one set of touched keys and clears it at each sync, so a lost push loses changes; here a reader
that failed asks again from where it stands.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from messages.arrays import IdArray, IntArray
from parameter_server.row_storage import RowStorage

_SMALLEST_LIMIT = 16_384


class ChangeLog:
    """Rows in the order of their changes; an entry counts only while it is its row's last change.

    When the log is more than twice as long as there are rows, entries that no longer count are dropped. What
    is left still has every changed row once, so the log is never too short for a reader, and the work is in
    proportion to the changes.
    """

    def __init__(self, storage: RowStorage) -> None:
        self._storage = storage
        self._rows = np.empty(1024, dtype=np.int64)
        self._versions = np.empty(1024, dtype=np.int64)
        self._length = 0

    @property
    def num_bytes(self) -> int:
        return int(self._rows.nbytes + self._versions.nbytes)

    def append(self, rows: IntArray, version: int, num_live_rows: int) -> None:
        """Note that rows changed. rows: int64 [m], unique. version: higher than all before, or the last."""
        if self._length + len(rows) > max(_SMALLEST_LIMIT, 2 * num_live_rows):
            self._compact()
        end = self._length + len(rows)
        if end > len(self._rows):
            self._rows = _grown(self._rows, end)
            self._versions = _grown(self._versions, end)
        self._rows[self._length : end] = rows
        self._versions[self._length : end] = version
        self._length = end

    def rows_since(self, version: int) -> IntArray:
        """Return the rows that changed after `version`, int64 [m], each once, by their last change."""
        start = int(np.searchsorted(self._versions[: self._length], version, side="right"))
        rows = self._rows[start : self._length]
        return rows[self._storage.current_entries(rows, self._versions[start : self._length])]

    def _compact(self) -> None:
        rows, versions = self._rows[: self._length], self._versions[: self._length]
        current = self._storage.current_entries(rows, versions)
        self._rows[: len(current)] = rows[current]
        self._versions[: len(current)] = versions[current]
        self._length = len(current)


def _grown(array: IntArray, length: int) -> IntArray:
    larger = np.empty(max(length, 2 * len(array)), dtype=np.int64)
    larger[: len(array)] = array
    return larger


class RemovalLog:
    """Tombstones: the ids removed at each version, up to a bound, past which the oldest are forgotten."""

    def __init__(self, largest_length: int = 65_536) -> None:
        self._largest_length = largest_length
        self._entries: deque[tuple[int, IdArray]] = deque()
        self._length = 0
        self._forgotten_up_to = -1

    def append(self, ids: IdArray, version: int) -> None:
        self._entries.append((version, ids))
        self._length += len(ids)
        while self._length > self._largest_length:
            self._forgotten_up_to, forgotten = self._entries.popleft()
            self._length -= len(forgotten)

    def reaches(self, version: int) -> bool:
        """Say whether every removal after `version` is still known."""
        return version >= self._forgotten_up_to

    def ids_since(self, version: int) -> IdArray:
        """Return the ids removed after `version`, uint64 [m], each once; ask `reaches` first."""
        removed = [ids for at, ids in self._entries if at > version]
        return np.unique(np.concatenate(removed)) if removed else np.empty(0, dtype=np.uint64)
