"""Which of some hundred keys are the same, which are among some others: by a small hash, compiled.

A request asks this a dozen times; sorting for it, as numpy does, costs ten times as much.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from learners.kernel_arrays import kernel_array
from messages.arrays import BoolArray, IdArray, IntArray

_SPREAD = np.uint64(0x9E3779B97F4A7C15)
"""Fibonacci hashing (Knuth, The Art of Computer Programming, vol. 3, 6.4): keys may be row numbers."""


class KeySet:
    """m keys, uint64, repeats allowed, to be asked about; never changed."""

    def __init__(self, keys: IdArray) -> None:
        self.keys: IdArray = np.array(keys, dtype=np.uint64)
        self._bits: int = _bits_for(len(self.keys))
        self._table = _table_of(self.keys, self._bits)

    def __len__(self) -> int:
        return len(self.keys)

    def holds(self, keys: IdArray) -> BoolArray:
        """Say which of n keys are among these, bool [n]."""
        return self.places(keys) >= 0

    def places(self, keys: IdArray) -> IntArray:
        """Return where among these each of n keys stands, int64 [n], -1 for one that does not; one that is
        there more than once stands at its last place."""
        places = np.empty(len(keys), dtype=np.int64)
        _look_up(self.keys, self._table, self._bits, kernel_array(keys, np.uint64), places)
        return places


def outside(keys: IdArray, members: IdArray) -> BoolArray:
    """Say which of n keys are not among m others that are asked about only once, bool [n]."""
    absent = np.empty(len(keys), dtype=np.bool_)
    _mark_absent(kernel_array(members, np.uint64), kernel_array(keys, np.uint64), absent)
    return absent


def places_in_each(
    sets: tuple[IdArray, ...], asked: tuple[IdArray, ...], firsts: tuple[int, ...]
) -> IntArray:
    """Return where in each of s sets each of n keys stands, int64 [s, n]: the first of that set + its last
    place there, 0 for one that is not there. asked: for each set the n keys to look for. firsts: at least 1.
    """
    places = np.empty((len(sets), len(asked[0])), dtype=np.int64)
    members, keys = (tuple([kernel_array(keys, np.uint64) for keys in given]) for given in (sets, asked))
    _look_up_in_each(members, keys, firsts, places)
    return places


def numbered(keys: IdArray | IntArray) -> tuple[IntArray, IntArray]:
    """Number the different ones of n keys as they come, from 0: int64 [n]; and where each comes first, int64
    [u], rising. keys: of eight bytes, row numbers too."""
    numbers = np.empty(len(keys), dtype=np.int64)
    firsts: IntArray = first_of_each(keys.view(np.uint64), numbers, 0)
    return numbers, firsts


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def first_of_each(keys: Any, numbers: Any, first: Any) -> Any:
    """Number the different ones of n keys as they come, from `first`, into `numbers`, int64 [n]; return where
    each comes first, int64 [u], rising. keys: uint64 [n]."""
    bits = _bits_for(len(keys))
    table = np.full(1 << bits, -1, dtype=np.int64)
    firsts = np.empty(len(keys), dtype=np.int64)
    count = 0
    for index in range(len(keys)):
        place = np.int64((keys[index] * _SPREAD) >> np.uint64(64 - bits))
        while table[place] >= 0 and keys[firsts[table[place]]] != keys[index]:
            place = (place + 1) & ((1 << bits) - 1)
        if table[place] < 0:
            table[place] = count
            firsts[count] = index
            count += 1
        numbers[index] = first + table[place]
    return firsts[:count]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _bits_for(count: Any) -> Any:
    """Return the size of a table that is at most half full, as a power of two."""
    bits = 1
    while (1 << bits) < 2 * count:
        bits += 1
    return bits


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _table_of(keys: Any, bits: Any) -> Any:
    table = np.full(1 << bits, -1, dtype=np.int32)
    for index in range(len(keys)):
        place = np.int64((keys[index] * _SPREAD) >> np.uint64(64 - bits))
        while table[place] >= 0 and keys[table[place]] != keys[index]:
            place = (place + 1) & ((1 << bits) - 1)
        table[place] = index
    return table


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _look_up(members: Any, table: Any, bits: Any, keys: Any, places: Any) -> None:
    for index in range(len(keys)):
        places[index] = _place_of(keys[index], members, table, bits)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _mark_absent(members: Any, keys: Any, absent: Any) -> None:
    bits = _bits_for(len(members)) + 2  # sparse, as below
    table = _table_of(members, bits)
    for index in range(len(keys)):
        absent[index] = _place_of(keys[index], members, table, bits) < 0


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _look_up_in_each(sets: Any, asked: Any, firsts: Any, places: Any) -> None:
    for number in range(len(sets)):
        members, keys, first = sets[number], asked[number], firsts[number]
        if len(members) == 0:
            places[number] = 0
            continue
        # Sparser than a set that is kept: few keys lie behind each other, and branches are guessed right.
        bits = _bits_for(len(members)) + 2
        table = _table_of(members, bits)
        for index in range(len(keys)):
            place = _place_of(keys[index], members, table, bits)
            places[number, index] = 0 if place < 0 else first + place


@njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def _place_of(key: Any, members: Any, table: Any, bits: Any) -> Any:
    """Return the place of a key, -1 where it is not there. table: `_table_of` the members."""
    place = np.int64((key * _SPREAD) >> np.uint64(64 - bits))
    while table[place] >= 0 and members[table[place]] != key:
        place = (place + 1) & ((1 << bits) - 1)
    return np.int64(table[place])
