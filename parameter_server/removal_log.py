"""Tombstones: what tells readers of deltas that rows are gone."""

from __future__ import annotations

from collections import deque

import numpy as np

from messages.arrays import IdArray


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
