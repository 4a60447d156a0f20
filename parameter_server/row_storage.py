"""Where rows lie: chunks of equal records, so that growth allocates a chunk and never copies or moves a row.

A record is a header (the id, uint64, 0 while the row is unused; the version of its last change, uint64), then
the row's words. What a reader needs of one row is thus in neighbouring cache lines.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray, njit

from messages.arrays import AnyArray, IdArray, IntArray
from parameter_server.native_memory import kernel_input, pointer_to, prefetch

HEADER_BYTES = 16
_CHUNK_SHIFT = 13
CHUNK_ROWS = 1 << _CHUNK_SHIFT
_ROW_MASK = CHUNK_ROWS - 1
_AHEAD = 8


class RowStorage:
    """Records of `num_words` 32-bit words each, by row number. All zeros at first."""

    def __init__(self, num_words: int) -> None:
        self._num_words = num_words
        self.row_bytes = HEADER_BYTES + (4 * num_words + 7) // 8 * 8  # headers stay aligned to 8 bytes
        self._chunks: list[AnyArray] = []
        self.addresses: IdArray = np.empty(0, dtype=np.uint64)
        """Where each chunk begins: kernels take this and reach every row without a list of arrays."""

    @property
    def num_bytes(self) -> int:
        return len(self._chunks) * CHUNK_ROWS * self.row_bytes

    def reserve(self, num_rows: int) -> None:
        """Make room for row numbers below `num_rows`."""
        if num_rows <= len(self._chunks) * CHUNK_ROWS:
            return
        while num_rows > len(self._chunks) * CHUNK_ROWS:
            self._chunks.append(np.zeros(CHUNK_ROWS * self.row_bytes // 8, dtype=np.uint64))
        self.addresses = np.array([chunk.ctypes.data for chunk in self._chunks], dtype=np.uint64)

    def read(self, rows: IntArray, num_words: int) -> AnyArray:
        """Return the first words of rows, uint32 [m, num_words], to be viewed as what they are."""
        words = np.empty((len(rows), num_words), dtype=np.uint32)
        _read_words(kernel_input(rows, np.int64), self.addresses, self.row_bytes, words)
        return words

    def write(self, rows: IntArray, ids: IdArray, words: AnyArray, version: int) -> None:
        """Write whole records. rows: int64 [m], all >= 0. words: uint32 [m, num_words]."""
        assert words.shape == (len(rows), self._num_words)
        _write_words(
            kernel_input(rows, np.int64),
            kernel_input(ids, np.uint64),
            self.addresses,
            self.row_bytes,
            kernel_input(words, np.uint32),
            np.uint64(version),
        )

    def clear(self, rows: IntArray) -> None:
        """Mark rows as unused; they read as never changed."""
        nothing = np.zeros((len(rows), self._num_words), dtype=np.uint32)
        self.write(rows, np.zeros(len(rows), dtype=np.uint64), nothing, 0)

    def ids_of(self, rows: IntArray) -> IdArray:
        """Return the ids of used rows, uint64 [m]."""
        ids = np.empty(len(rows), dtype=np.uint64)
        _read_ids(kernel_input(rows, np.int64), self.addresses, self.row_bytes, ids)
        return ids

    def current_entries(self, rows: IntArray, versions: IntArray) -> IntArray:
        """Return which of m entries (row, version) name the version of their row's last change, int64 [k]."""
        entries = np.empty(len(rows), dtype=np.int64)
        num_entries = _select_current(
            kernel_input(rows, np.int64),
            kernel_input(versions, np.int64),
            self.addresses,
            self.row_bytes,
            entries,
        )
        return entries[:num_entries]


@njit(cache=True, nogil=True, inline="always")
def row_address(addresses: Any, row: Any, row_bytes: Any) -> Any:
    """Return the address of a record, uint64."""
    return addresses[row >> _CHUNK_SHIFT] + np.uint64((row & _ROW_MASK) * row_bytes)


@njit(cache=True, nogil=True, inline="always")
def prefetch_row(addresses: Any, rows: Any, index: Any, row_bytes: Any) -> None:
    """Ask for the row that comes a few places after `index` in `rows`."""
    if index + _AHEAD < len(rows) and rows[index + _AHEAD] >= 0:
        address = row_address(addresses, rows[index + _AHEAD], row_bytes)
        prefetch(address)
        prefetch(address + np.uint64(64))


@njit(cache=True, nogil=True)
def _read_words(rows: Any, addresses: Any, row_bytes: Any, words: Any) -> None:
    num_words = words.shape[1]
    for index in range(len(rows)):
        prefetch_row(addresses, rows, index, row_bytes)
        address = row_address(addresses, rows[index], row_bytes) + np.uint64(HEADER_BYTES)
        record = carray(pointer_to(address), (num_words,), np.uint32)
        for word in range(num_words):
            words[index, word] = record[word]


@njit(cache=True, nogil=True)
def _write_words(rows: Any, ids: Any, addresses: Any, row_bytes: Any, words: Any, version: Any) -> None:
    num_words = words.shape[1]
    for index in range(len(rows)):
        address = row_address(addresses, rows[index], row_bytes)
        header = carray(pointer_to(address), (2,), np.uint64)
        header[0] = ids[index]
        header[1] = version
        record = carray(pointer_to(address + np.uint64(HEADER_BYTES)), (num_words,), np.uint32)
        for word in range(num_words):
            record[word] = words[index, word]


@njit(cache=True, nogil=True)
def _read_ids(rows: Any, addresses: Any, row_bytes: Any, ids: Any) -> None:
    for index in range(len(rows)):
        ids[index] = carray(pointer_to(row_address(addresses, rows[index], row_bytes)), (2,), np.uint64)[0]


@njit(cache=True, nogil=True)
def _select_current(rows: Any, versions: Any, addresses: Any, row_bytes: Any, entries: Any) -> Any:
    num_entries = 0
    for index in range(len(rows)):
        prefetch_row(addresses, rows, index, row_bytes)
        header = carray(pointer_to(row_address(addresses, rows[index], row_bytes)), (2,), np.uint64)
        if header[1] == np.uint64(versions[index]):
            entries[num_entries] = index
            num_entries += 1
    return num_entries
