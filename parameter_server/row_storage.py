"""Where rows lie: chunks of equal records, so that growth allocates a chunk and never copies or moves a row.

A record is a header of six 32-bit words (`recency`: the id, the version and the time of its last change, its
neighbours in the order of changes), then the row's words. What a reader needs of one row is thus in
neighbouring cache lines.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray, njit

from messages.arrays import AnyArray, IdArray, IntArray
from parameter_server.native_memory import copy_bytes, kernel_input, pointer_to, prefetch
from parameter_server.recency import (
    CHUNK_ROWS,
    HEADER_BYTES,
    HEADER_WORDS,
    NEWER,
    OLDER,
    TIME,
    header_at,
    id_in,
    link_by_time,
    row_address,
    touch,
    unlink,
    walk_newest,
    walk_oldest,
)

_LARGEST_SLAB = 16
_AHEAD = 24
_NEIGHBOURS_AHEAD = 12
NEWEST_VERSION = (1 << 32) - 1
"""Seven years at twenty updates a second."""


class RowStorage:
    """Records of `num_words` 32-bit words each, by row number. All zeros at first."""

    def __init__(self, num_words: int) -> None:
        self._num_words = num_words
        self.row_bytes = HEADER_BYTES + 4 * num_words
        self._slabs: list[AnyArray] = []
        self.addresses: IdArray = np.empty(0, dtype=np.uint64)
        """Where each chunk begins: kernels take this and reach every row without a list of arrays."""
        self.ends: IntArray = np.zeros(2, dtype=np.int64)
        """The two ends of the list of rows by their last change."""

    @property
    def num_bytes(self) -> int:
        return len(self.addresses) * CHUNK_ROWS * self.row_bytes

    def reserve(self, num_rows: int) -> None:
        """Make room for row numbers below `num_rows`.

        A large table takes several chunks at once: in allocations of some megabytes the system gives memory
        in large pages, whose addresses are translated faster, and nothing is touched before it is used.
        """
        num_chunks = len(self.addresses)
        missing = -(-num_rows // CHUNK_ROWS) - num_chunks
        if missing <= 0:
            return
        new = max(missing, min(_LARGEST_SLAB, num_chunks // 8))
        chunk_bytes = CHUNK_ROWS * self.row_bytes
        self._slabs.append(np.zeros(new * chunk_bytes // 8, dtype=np.uint64))
        begins = self._slabs[-1].ctypes.data + chunk_bytes * np.arange(new)
        self.addresses = np.concatenate([self.addresses, begins.astype(np.uint64)])

    def read(self, rows: IntArray, num_words: int) -> AnyArray:
        """Return the first words of rows, uint32 [m, num_words], to be viewed as what they are."""
        words = np.empty((len(rows), num_words), dtype=np.uint32)
        read_words(kernel_input(rows, np.int64), self.addresses, self.row_bytes, HEADER_BYTES, words)
        return words

    def headers(self, rows: IntArray) -> AnyArray:
        """Return the headers of rows, uint32 [m, HEADER_WORDS]."""
        words = np.empty((len(rows), HEADER_WORDS), dtype=np.uint32)
        read_words(kernel_input(rows, np.int64), self.addresses, self.row_bytes, 0, words)
        return words

    def write(self, rows: IntArray, ids: IdArray, words: AnyArray, version: int, time: int) -> None:
        """Write whole records, which are now the newest.

        rows: int64 [m], all >= 0. words: uint32 [m, num_words]. version,
        time: not lower than any before.
        """
        numbers = kernel_input(rows, np.int64)
        self._write_words(numbers, words)
        _touch_rows(
            numbers,
            kernel_input(ids, np.uint64),
            self.addresses,
            self.row_bytes,
            np.uint32(version),
            np.uint32(time),
            self.ends,
        )

    def load(self, rows: IntArray, ids: IdArray, words: AnyArray, times: IntArray) -> None:
        """Write records of rows that were unused, each in its place by the time of its last change.

        They take the version of the row before them: to every reader of versions they have always been there.
        """
        order = np.lexsort((ids, times))
        numbers = kernel_input(rows[order], np.int64)
        self._write_words(numbers, words[order])
        link_by_time(
            numbers,
            kernel_input(ids[order], np.uint64),
            self.addresses,
            self.row_bytes,
            kernel_input(times[order], np.int64),
            self.ends,
        )

    def _write_words(self, rows: IntArray, words: AnyArray) -> None:
        assert words.shape == (len(rows), self._num_words)
        _write_words(rows, self.addresses, self.row_bytes, kernel_input(words, np.uint32))

    def clear(self, rows: IntArray) -> None:
        """Mark used rows as unused."""
        _clear(kernel_input(rows, np.int64), self.addresses, self.row_bytes, self.ends)

    def ids_of(self, rows: IntArray) -> IdArray:
        """Return the ids of used rows, uint64 [m]."""
        ids = np.empty(len(rows), dtype=np.uint64)
        _read_ids(kernel_input(rows, np.int64), self.addresses, self.row_bytes, ids)
        return ids

    def changed_since(self, version: int) -> IntArray:
        """Return the rows changed after `version`, int64 [m], each once, oldest first."""
        room = 4096
        while True:
            rows = np.empty(room, dtype=np.int64)
            num = walk_newest(self.addresses, self.row_bytes, self.ends, version, rows)
            if num <= room:
                return rows[:num][::-1]
            room = num

    def least_recent(self, least: int, before: int) -> IntArray:
        """Return the rows last changed before a time, and at least so many of the oldest, oldest first.

        Returns int64 [m]. Rows of one time are in the order of their ids, so that the answer is the same
        after a restart.
        """
        room = max(4096, least)
        while True:
            rows = np.empty(room, dtype=np.int64)
            num = walk_oldest(self.addresses, self.row_bytes, self.ends, least, before, rows)
            if num <= room:
                break
            room = num
        rows = rows[:num]
        times = self.headers(rows)[:, TIME]
        in_order = rows[np.lexsort((self.ids_of(rows), times))]
        return in_order[: max(least, int((times < before).sum()))]


@njit(cache=True, nogil=True, inline="always")
def _prefetch_bytes(address: Any, num_bytes: Any) -> None:
    """Ask for every line that so many bytes touch, up to 256 bytes; longer runs the processor sees coming."""
    prefetch(address)
    if num_bytes > 64:
        prefetch(address + np.uint64(64))
    if num_bytes > 128:
        prefetch(address + np.uint64(128))
    if num_bytes > 192:
        prefetch(address + np.uint64(192))
    prefetch(address + np.uint64(min(num_bytes, 256) - 1))


@njit(cache=True, nogil=True, inline="always")
def prefetch_row(addresses: Any, rows: Any, index: Any, row_bytes: Any) -> None:
    """Ask for the row that comes some places after `index` in `rows`."""
    if index + _AHEAD < len(rows) and rows[index + _AHEAD] >= 0:
        _prefetch_bytes(row_address(addresses, rows[index + _AHEAD], row_bytes), row_bytes)


@njit(cache=True, nogil=True, inline="always")
def prefetch_neighbours(addresses: Any, rows: Any, index: Any, row_bytes: Any) -> None:
    """Ask for the headers that moving a row in the list will write; its own must be near by now."""
    if index + _NEIGHBOURS_AHEAD < len(rows) and rows[index + _NEIGHBOURS_AHEAD] >= 0:
        header = header_at(row_address(addresses, rows[index + _NEIGHBOURS_AHEAD], row_bytes))
        if header[OLDER] != 0:
            prefetch(row_address(addresses, np.int64(header[OLDER]) - 1, row_bytes))
        if header[NEWER] != 0:
            prefetch(row_address(addresses, np.int64(header[NEWER]) - 1, row_bytes))


@njit(cache=True, nogil=True)
def read_words(rows: Any, addresses: Any, row_bytes: Any, offset: Any, words: Any) -> Any:
    """Copy words of each row, from `offset` bytes on, skipping rows numbered -1; return how many those are.

    words: C-contiguous, of 32-bit numbers, [m, num_words].
    """
    num_bytes = 4 * words.shape[1]
    target = np.uint64(words.ctypes.data)
    num_missing = 0
    for index in range(len(rows)):
        if index + _AHEAD < len(rows) and rows[index + _AHEAD] >= 0:
            coming = row_address(addresses, rows[index + _AHEAD], row_bytes) + np.uint64(offset)
            _prefetch_bytes(coming, num_bytes)
        if rows[index] < 0:
            num_missing += 1
        else:
            source = row_address(addresses, rows[index], row_bytes) + np.uint64(offset)
            copy_bytes(target + np.uint64(index * num_bytes), source, num_bytes)
    return num_missing


@njit(cache=True, nogil=True)
def _write_words(rows: Any, addresses: Any, row_bytes: Any, words: Any) -> None:
    num_bytes = 4 * words.shape[1]
    source = np.uint64(words.ctypes.data)
    for index in range(len(rows)):
        prefetch_row(addresses, rows, index, row_bytes)
        body = row_address(addresses, rows[index], row_bytes) + np.uint64(HEADER_BYTES)
        copy_bytes(body, source + np.uint64(index * num_bytes), num_bytes)


@njit(cache=True, nogil=True)
def _touch_rows(
    rows: Any, ids: Any, addresses: Any, row_bytes: Any, version: Any, time: Any, ends: Any
) -> None:
    for index in range(len(rows)):
        header = header_at(row_address(addresses, rows[index], row_bytes))
        touch(header, rows[index], ids[index], version, time, addresses, row_bytes, ends)


@njit(cache=True, nogil=True)
def _clear(rows: Any, addresses: Any, row_bytes: Any, ends: Any) -> None:
    for index in range(len(rows)):
        address = row_address(addresses, rows[index], row_bytes)
        unlink(header_at(address), addresses, row_bytes, ends)
        record = carray(pointer_to(address), (row_bytes // 4,), np.uint32)
        record[:] = np.uint32(0)


@njit(cache=True, nogil=True)
def _read_ids(rows: Any, addresses: Any, row_bytes: Any, ids: Any) -> None:
    for index in range(len(rows)):
        prefetch_row(addresses, rows, index, row_bytes)
        ids[index] = id_in(header_at(row_address(addresses, rows[index], row_bytes)))
