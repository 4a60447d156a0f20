"""The compiled half of `CuckooIndex`: a bucketized cuckoo hash in one flat uint64 array.

A bucket is one cache line: four keys, then their four row numbers; key 0 is an empty place. A key lives in
one of two buckets, so a lookup reads at most two lines, and four keys a bucket allow loads above 90% (Pagh
and Rodler 2004; Dietzfelbinger and Weidling 2007). Where both are full, a breadth-first search finds the
shortest chain of moves (as in libcuckoo) before anything is moved, so a failed insert changes nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from parameter_server.initializers import scramble
from parameter_server.native_memory import prefetch

PLACES = 4
BUCKET_WORDS = 2 * PLACES
_BUCKET_BYTES = np.uint64(8 * BUCKET_WORDS)
_SEARCH_LIMIT = 512
_AHEAD = 12
_EMPTY = np.uint64(0)
_SECOND_HASH = np.uint64(0xD6E8FEB86659FD93)

SIZE, NEXT_ROW, NUM_FREE = 0, 1, 2
"""Places in the index's int64 state: live keys, rows ever given out, rows waiting to be given out again."""


@njit(cache=True, nogil=True, inline="always")
def _choices(key: Any, mask: Any) -> Any:
    """Return the word offsets of a key's two buckets.

    The second comes from the middle of a product, which the low bits decide: a shard hosts only keys with
    certain high bits (messages.identifiers.buckets_of), and these must not crowd its buckets.
    """
    mixed = scramble(key)
    first = np.int64(mixed & mask) * BUCKET_WORDS
    second = np.int64(((mixed * _SECOND_HASH) >> np.uint64(32)) & mask) * BUCKET_WORDS
    return first, second


@njit(cache=True, nogil=True, inline="always")
def _find_place(table: Any, bucket: Any, key: Any) -> Any:
    for place in range(bucket, bucket + PLACES):
        if table[place] == key:
            return place
    return np.int64(-1)


@njit(cache=True, nogil=True, inline="always")
def _locate(table: Any, mask: Any, key: Any) -> Any:
    """Return the word offset of a stored key, or -1; its row number is PLACES words further."""
    first, second = _choices(key, mask)
    place = _find_place(table, first, key)
    if place < 0:
        place = _find_place(table, second, key)
    return place


@njit(cache=True, nogil=True)
def _place_by_moving(table: Any, mask: Any, first: Any, second: Any) -> Any:
    """Free a place in one of two full buckets by the shortest chain of moves; return it, -1 if none is near.

    Breadth-first order keeps a bucket from coming twice in the chain that is found: its first visit would
    have led to the same end sooner.
    """
    buckets = np.empty(_SEARCH_LIMIT, dtype=np.int64)
    parents = np.empty(_SEARCH_LIMIT, dtype=np.int64)  # node from which a key would move here
    origins = np.empty(_SEARCH_LIMIT, dtype=np.int64)  # the place it would leave
    buckets[0], buckets[1] = first, second
    parents[0], parents[1] = -1, -1
    num_nodes = 2
    node = 0
    while node < num_nodes:
        bucket = buckets[node]
        for place in range(bucket, bucket + PLACES):
            one, other = _choices(table[place], mask)
            target = other if one == bucket else one
            if target == bucket:
                continue
            free = _find_place(table, target, _EMPTY)
            if free >= 0:
                leaving = place
                while True:
                    table[free] = table[leaving]
                    table[free + PLACES] = table[leaving + PLACES]
                    free = leaving
                    if parents[node] < 0:
                        table[free] = _EMPTY
                        return free
                    leaving = origins[node]
                    node = parents[node]
            if num_nodes < _SEARCH_LIMIT:
                buckets[num_nodes] = target
                parents[num_nodes] = node
                origins[num_nodes] = place
                num_nodes += 1
        node += 1
    return np.int64(-1)


@njit(cache=True, nogil=True)
def _insert(table: Any, mask: Any, key: Any, row: Any) -> Any:
    """Store a key that is not there; return False, with nothing changed, if the table must grow first."""
    first, second = _choices(key, mask)
    place = _find_place(table, first, _EMPTY)
    if place < 0:
        place = _find_place(table, second, _EMPTY)
    if place < 0:
        place = _place_by_moving(table, mask, first, second)
    if place < 0:
        return False
    table[place] = key
    table[place + PLACES] = np.uint64(row)
    return True


@njit(cache=True, nogil=True, inline="always")
def _prefetch_bucket(table: Any, mask: Any, key: Any) -> None:
    prefetch(np.uint64(table.ctypes.data) + (scramble(key) & mask) * _BUCKET_BYTES)


@njit(cache=True, nogil=True)
def find(table: Any, mask: Any, ids: Any, rows: Any) -> None:
    """Write the row number of each id, -1 where it has none."""
    for index in range(len(ids)):
        if index + _AHEAD < len(ids):
            _prefetch_bucket(table, mask, ids[index + _AHEAD])
        key = ids[index]
        place = np.int64(-1) if key == _EMPTY else _locate(table, mask, key)
        rows[index] = -1 if place < 0 else np.int64(table[place + PLACES])


@njit(cache=True, nogil=True)
def find_or_insert(
    table: Any, mask: Any, limit: Any, ids: Any, start: Any, rows: Any, free_rows: Any, state: Any
) -> Any:
    """Write row numbers from `start` on, giving new ids a row; return where it stopped for want of room."""
    for index in range(start, len(ids)):
        if index + _AHEAD < len(ids):
            _prefetch_bucket(table, mask, ids[index + _AHEAD])
        key = ids[index]
        if key == _EMPTY:
            rows[index] = -1
            continue
        place = _locate(table, mask, key)
        if place >= 0:
            rows[index] = np.int64(table[place + PLACES])
            continue
        reuse = state[NUM_FREE] > 0
        row = free_rows[state[NUM_FREE] - 1] if reuse else state[NEXT_ROW]
        if state[SIZE] >= limit or not _insert(table, mask, key, row):
            return index
        state[SIZE] += 1
        state[NUM_FREE if reuse else NEXT_ROW] += -1 if reuse else 1
        rows[index] = row
    return len(ids)


@njit(cache=True, nogil=True)
def erase(table: Any, mask: Any, ids: Any, rows: Any, free_rows: Any, state: Any) -> None:
    """Forget ids; write the rows they had, -1 for none, and hand those rows to the free list."""
    for index in range(len(ids)):
        key = ids[index]
        place = np.int64(-1) if key == _EMPTY else _locate(table, mask, key)
        rows[index] = -1
        if place >= 0:
            rows[index] = np.int64(table[place + PLACES])
            table[place] = _EMPTY
            free_rows[state[NUM_FREE]] = rows[index]
            state[NUM_FREE] += 1
            state[SIZE] -= 1


@njit(cache=True, nogil=True)
def rehash(table: Any, grown: Any, grown_mask: Any) -> Any:
    """Store every key of `table` in the larger `grown`, rows unchanged; False if that must grow further."""
    for bucket in range(0, len(table), BUCKET_WORDS):
        for place in range(bucket, bucket + PLACES):
            if table[place] != _EMPTY and not _insert(grown, grown_mask, table[place], table[place + PLACES]):
                return False
    return True
