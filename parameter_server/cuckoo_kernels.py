"""The compiled half of `CuckooIndex`: a bucketized cuckoo hash, cut into parts that grow one at a time.

Where both buckets of a key are full, a breadth-first search finds the shortest chain of moves (as in
libcuckoo) before anything is moved, so a failed insert changes nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray, njit

from parameter_server.cuckoo_buckets import (
    BUCKET_WORDS,
    EMPTY,
    LINE,
    NUM_PARTS,
    PART_MASK,
    PLACES,
    find_place,
    first_choice,
    locate,
    put,
    row_at,
    second_choice,
)
from parameter_server.initializers import scramble
from parameter_server.native_memory import pointer_to, prefetch

_SEARCH_LIMIT = 512
_BLOCK = 64

NEXT_ROW, NUM_FREE, FULL_PART = 0, 1, 2
"""Places in the index's int64 state: rows ever given out, rows to be given out again, part to grow."""


@njit(cache=True, nogil=True)
def _place_by_moving(bases: Any, sizes: Any, first: Any, second: Any) -> Any:
    """Free a place in one of two full buckets by the shortest chain of moves; return it, place -1 if none.

    Breadth-first order keeps a bucket from coming twice in the chain that is found: its first visit would
    have led to the same end sooner.
    """
    buckets = np.empty(_SEARCH_LIMIT, dtype=np.uint64)
    parents = np.empty(_SEARCH_LIMIT, dtype=np.int64)  # node from which a key would move here
    origins = np.empty(_SEARCH_LIMIT, dtype=np.int64)  # the place it would leave
    buckets[0], buckets[1] = first, second
    parents[0], parents[1] = -1, -1
    num_nodes = 2
    node = 0
    while node < num_nodes:
        bucket = buckets[node]
        for place in range(PLACES):
            mixed = scramble(carray(pointer_to(bucket), (PLACES,), np.uint64)[place])
            one, other = first_choice(mixed, bases, sizes), second_choice(mixed, bases, sizes)
            target = other if one == bucket else one
            if target == bucket:
                continue
            free = find_place(target, EMPTY)
            if free >= 0:
                leaving = np.int64(place)
                while True:
                    origin = buckets[node]
                    moved = carray(pointer_to(origin), (PLACES,), np.uint64)[leaving]
                    put(target, free, moved, row_at(origin, leaving))
                    target, free = origin, leaving
                    if parents[node] < 0:
                        put(target, free, EMPTY, 0)
                        return target, free
                    leaving = origins[node]
                    node = parents[node]
            if num_nodes < _SEARCH_LIMIT:
                buckets[num_nodes] = target
                parents[num_nodes] = node
                origins[num_nodes] = place
                num_nodes += 1
        node += 1
    return first, np.int64(-1)


@njit(cache=True, nogil=True)
def _insert(key: Any, row: Any, bases: Any, sizes: Any) -> Any:
    """Store a key that is not there; return False, with nothing changed, if its part must grow first."""
    mixed = scramble(key)
    first = first_choice(mixed, bases, sizes)
    bucket = first
    place = find_place(first, EMPTY)
    if place < 0:
        bucket = second_choice(mixed, bases, sizes)
        place = find_place(bucket, EMPTY)
    if place < 0:
        bucket, place = _place_by_moving(bases, sizes, first, bucket)
    if place < 0:
        return False
    put(bucket, place, key, row)
    return True


@njit(cache=True, nogil=True)
def find(bases: Any, sizes: Any, ids: Any, rows: Any) -> None:
    """Write the row number of each id, -1 where it has none.

    Block by block and in three rounds, so that no line is waited for: ask for the first buckets; look into
    them, and ask for the second ones of keys that are not there; look into those. Little is left to guess.
    """
    buckets = np.empty(_BLOCK, dtype=np.uint64)
    hashes = np.empty(_BLOCK, dtype=np.uint64)
    absent = np.empty(_BLOCK, dtype=np.int64)
    for start in range(0, len(ids), _BLOCK):
        num = min(_BLOCK, len(ids) - start)
        for index in range(num):
            mixed = scramble(ids[start + index])
            hashes[index] = mixed
            buckets[index] = first_choice(mixed, bases, sizes)
            prefetch(buckets[index])
        num_absent = 0
        for index in range(num):
            key, bucket = ids[start + index], buckets[index]
            place = find_place(bucket, key)
            is_here = place >= 0 and key != EMPTY
            row = row_at(bucket, place if place >= 0 else np.int64(0))
            rows[start + index] = row if is_here else np.int64(-1)
            second = second_choice(hashes[index], bases, sizes)
            prefetch(bucket if is_here else second)
            buckets[num_absent] = second
            absent[num_absent] = index
            num_absent += 0 if is_here else 1
        for turn in range(num_absent):
            key = ids[start + absent[turn]]
            place = find_place(buckets[turn], key)
            if place >= 0 and key != EMPTY:
                rows[start + absent[turn]] = row_at(buckets[turn], place)


@njit(cache=True, nogil=True)
def insert_missing(
    bases: Any,
    sizes: Any,
    counts: Any,
    limits: Any,
    ids: Any,
    start: Any,
    rows: Any,
    free_rows: Any,
    state: Any,
) -> Any:
    """Give a row to each id that `find` found none for, from `start` on; return where room was wanting."""
    for index in range(start, len(ids)):
        key = ids[index]
        if rows[index] >= 0 or key == EMPTY:
            continue
        mixed = scramble(key)
        bucket, place = locate(key, mixed, bases, sizes)
        if place >= 0:
            rows[index] = row_at(bucket, place)
            continue
        part = np.int64(mixed & PART_MASK)
        reuse = state[NUM_FREE] > 0
        row = free_rows[state[NUM_FREE] - 1] if reuse else state[NEXT_ROW]
        if counts[part] >= limits[part] or not _insert(key, row, bases, sizes):
            state[FULL_PART] = part
            return index
        counts[part] += 1
        state[NUM_FREE if reuse else NEXT_ROW] += -1 if reuse else 1
        rows[index] = row
    return len(ids)


@njit(cache=True, nogil=True)
def erase(bases: Any, sizes: Any, counts: Any, ids: Any, rows: Any, free_rows: Any, state: Any) -> None:
    """Forget ids; write the rows they had, -1 for none, and hand those rows to the free list."""
    for index in range(len(ids)):
        key = ids[index]
        rows[index] = -1
        if key == EMPTY:
            continue
        mixed = scramble(key)
        bucket, place = locate(key, mixed, bases, sizes)
        if place >= 0:
            rows[index] = row_at(bucket, place)
            put(bucket, place, EMPTY, 0)
            free_rows[state[NUM_FREE]] = rows[index]
            state[NUM_FREE] += 1
            counts[np.int64(mixed & PART_MASK)] -= 1


@njit(cache=True, nogil=True)
def collect(bases: Any, sizes: Any, keys: Any, rows: Any) -> None:
    """Write every key and its row number, in the order in which they lie."""
    num = 0
    for part in range(NUM_PARTS):
        for turn in range(sizes[part]):
            bucket = bases[part] + np.uint64(turn) * LINE
            of_bucket = carray(pointer_to(bucket), (PLACES,), np.uint64)
            for place in range(PLACES):
                if of_bucket[place] != EMPTY:
                    keys[num] = of_bucket[place]
                    rows[num] = row_at(bucket, place)
                    num += 1


@njit(cache=True, nogil=True)
def rehash(words: Any, bases: Any, sizes: Any) -> Any:
    """Store every key of an outgrown part in the new one, rows unchanged; False if that must grow further.

    words: uint64, the old part. bases, sizes: of all parts, the new one in its place.
    """
    halves = words.view(np.uint32)
    for bucket in range(0, len(words), BUCKET_WORDS):
        for place in range(PLACES):
            key = words[bucket + place]
            if key != EMPTY and not _insert(key, halves[2 * (bucket + PLACES) + place], bases, sizes):
                return False
    return True
