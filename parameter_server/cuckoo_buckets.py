"""Where keys lie in a bucketized cuckoo hash: the buckets of one key, and the places of one bucket.

A bucket is one cache line: five keys, then their five row numbers of 32 bits; key 0 is an empty place. A key
lives in one of two buckets of its part, so a lookup reads at most two lines, and five keys a bucket allow
loads above 95% (Pagh and Rodler 2004; Dietzfelbinger and Weidling 2007). A hash becomes a bucket by
multiplication (Lemire 2019): a part may have any number of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray, njit

from parameter_server.native_memory import pointer_to

PLACES = 5
BUCKET_BYTES = 64
BUCKET_WORDS = BUCKET_BYTES // 8
NUM_PARTS = 128
_PART_BITS = np.uint64(7)
PART_MASK = np.uint64(NUM_PARTS - 1)
LINE = np.uint64(BUCKET_BYTES)
_ROWS_OFFSET = np.uint64(8 * PLACES)
_LOW_HALF = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
EMPTY = np.uint64(0)
_SECOND_HASH = np.uint64(0xD6E8FEB86659FD93)


@njit(cache=True, nogil=True, inline="always")
def first_choice(mixed: Any, bases: Any, sizes: Any) -> Any:
    """Return the address of the first bucket. mixed: `scramble` of the key."""
    part = mixed & PART_MASK
    return bases[part] + ((((mixed >> _PART_BITS) & _LOW_HALF) * sizes[part]) >> _HALF) * LINE


@njit(cache=True, nogil=True, inline="always")
def second_choice(mixed: Any, bases: Any, sizes: Any) -> Any:
    """Return the address of the second bucket.

    It comes from the top of a product, which all bits decide: a shard hosts only keys with certain high bits
    (messages.identifiers.buckets_of), and these must not crowd its buckets.
    """
    part = mixed & PART_MASK
    return bases[part] + (((mixed * _SECOND_HASH) >> _HALF) * sizes[part] >> _HALF) * LINE


@njit(cache=True, nogil=True, inline="always")
def find_place(bucket: Any, key: Any) -> Any:
    """Return the place of a key in the bucket at an address, -1 where it is not there."""
    keys = carray(pointer_to(bucket), (PLACES,), np.uint64)
    found = np.int64(-1)
    for place in range(PLACES):  # without a branch: where a key lies cannot be predicted
        found = np.int64(place) if keys[place] == key else found
    return found


@njit(cache=True, nogil=True, inline="always")
def row_at(bucket: Any, place: Any) -> Any:
    """Return the row number that stands with a place."""
    return np.int64(carray(pointer_to(bucket + _ROWS_OFFSET), (PLACES,), np.uint32)[np.uint64(place)])


@njit(cache=True, nogil=True, inline="always")
def put(bucket: Any, place: Any, key: Any, row: Any) -> None:
    """Let a key and its row number stand at a place."""
    carray(pointer_to(bucket), (PLACES,), np.uint64)[place] = key
    carray(pointer_to(bucket + _ROWS_OFFSET), (PLACES,), np.uint32)[place] = np.uint32(row)


@njit(cache=True, nogil=True, inline="always")
def locate(key: Any, mixed: Any, bases: Any, sizes: Any) -> Any:
    """Return the bucket and place of a stored key, or place -1."""
    bucket = first_choice(mixed, bases, sizes)
    place = find_place(bucket, key)
    if place < 0:
        bucket = second_choice(mixed, bases, sizes)
        place = find_place(bucket, key)
    return bucket, place
