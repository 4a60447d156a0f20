"""Which buckets a shard hosts, and whether a request was cut for just these."""

from __future__ import annotations

import numpy as np

from messages.arrays import BoolArray, IntArray
from messages.identifiers import NUM_BUCKETS, key_of_buckets


class MovingBucketsError(LookupError):
    """A request was cut for other buckets than the shard hosts: read the map again, cut again, repeat."""


class HostedBuckets:
    """A set of buckets that changes by moves. Raises ValueError for buckets that do not exist."""

    def __init__(self, shard_id: int, buckets: IntArray) -> None:
        self._shard_id = shard_id
        numbers = np.unique(np.asarray(buckets, dtype=np.int64))
        if len(numbers) and not 0 <= numbers[0] <= numbers[-1] < NUM_BUCKETS:
            raise ValueError(f"buckets must lie in [0, {NUM_BUCKETS})")
        self.mask: BoolArray = np.zeros(NUM_BUCKETS, dtype=np.bool_)
        """bool [NUM_BUCKETS], changed in place: groups look at the same array."""
        self.mask[numbers] = True
        self.numbers: IntArray = numbers
        self.moves = 0
        self._key = key_of_buckets(numbers)

    def is_cut_for(self, key: int | None) -> bool:
        """Say whether a sender that means the buckets of this key means these; one that names none is
        trusted."""
        return key is None or key == self._key

    def check_cut(self, key: int | None) -> None:
        """Raise MovingBucketsError where `is_cut_for` is false."""
        if not self.is_cut_for(key):
            raise MovingBucketsError(f"cut for other buckets than the {len(self.numbers)} of {self}")

    def mask_of(self, buckets: IntArray) -> BoolArray:
        """Return hosted buckets as bool [NUM_BUCKETS]. Raises ValueError for one that is not hosted."""
        wanted = np.zeros(NUM_BUCKETS, dtype=np.bool_)
        wanted[buckets] = True
        self._refuse("not hosted", wanted & ~self.mask)
        return wanted

    def check_absent(self, buckets: IntArray) -> None:
        """Raise ValueError for a bucket that is hosted already."""
        wanted = np.zeros(NUM_BUCKETS, dtype=np.bool_)
        wanted[buckets] = True
        self._refuse("hosted", wanted & self.mask)

    def add(self, buckets: IntArray) -> None:
        self._set(buckets, True)

    def remove(self, buckets: IntArray) -> None:
        self._set(buckets, False)

    def __str__(self) -> str:
        return f"shard {self._shard_id}"

    def _refuse(self, what: str, wrong: BoolArray) -> None:
        if wrong.any():
            raise ValueError(f"buckets {np.flatnonzero(wrong).tolist()} are {what} by {self}")

    def _set(self, buckets: IntArray, hosted: bool) -> None:
        self.mask[buckets] = hosted
        self.numbers = np.flatnonzero(self.mask)
        self.moves += 1
        self._key = key_of_buckets(self.numbers)
