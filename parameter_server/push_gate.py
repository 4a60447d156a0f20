"""A gate before a shard's positions: pushes stop at a place of the stream while buckets come or go."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from messages.arrays import IntArray
from messages.updates import Update


class PushGate:
    """Open until closed, and again when its lease is over: who closed it may have died.

    Two shards that a bucket moves between are closed at the same place, so that all their buckets stand at
    equal positions: the one that is behind still takes what leads up to it.
    """

    def __init__(self) -> None:
        self._ends: dict[str, IntArray] = {}
        self._until = float("-inf")

    def close(self, ends: Mapping[str, IntArray], until: float) -> None:
        """Let nothing through that begins at or past `ends`: per group, EXAMPLES sequences, int64 [P].

        until: when it opens by itself, on the clock that `lets_through` is asked with, seconds.
        """
        self._ends = {group: np.asarray(of_group, dtype=np.int64) for group, of_group in ends.items()}
        self._until = until

    def open(self) -> None:
        self._until = float("-inf")

    def is_closed(self, now: float) -> bool:
        return now < self._until

    def lets_through(self, update: Update, now: float) -> bool:
        """Say whether an update only covers what comes before the gate. A group unknown to it waits."""
        if not self.is_closed(now):
            return True
        ends = self._ends.get(update.group)
        return ends is not None and all(
            span.start < ends[partition] for partition, span in update.spans.items()
        )
