"""A doubly linked list through the records of a table: its rows in the order in which they last changed.

From its new end it answers which rows changed after a version, work in proportion to the answer, for any
number of readers (Monolith keeps one set of touched keys and clears it at each sync, so a lost push loses
changes). From its old end it answers which rows were used least recently. It costs two words a row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray, njit

from parameter_server.native_memory import pointer_to

ID_LOW, ID_HIGH, VERSION, TIME, OLDER, NEWER = range(6)
"""Words of a record's header, uint32. OLDER, NEWER: the neighbours' row numbers plus one, 0 for none."""

HEADER_WORDS = 6
HEADER_BYTES = 4 * HEADER_WORDS
CHUNK_SHIFT = 13
CHUNK_ROWS = 1 << CHUNK_SHIFT
_SHIFT = np.uint64(CHUNK_SHIFT)
_ROW_MASK = np.uint64(CHUNK_ROWS - 1)

OLDEST, NEWEST = 0, 1
"""Places in `ends`, int64: row numbers plus one, 0 for none."""


@njit(cache=True, nogil=True, inline="always")
def row_address(addresses: Any, row: Any, row_bytes: Any) -> Any:
    """Return the address of a record, uint64."""
    number = np.uint64(row)  # unsigned, or every access asks whether it counts from the end
    return addresses[number >> _SHIFT] + (number & _ROW_MASK) * np.uint64(row_bytes)


@njit(cache=True, nogil=True, inline="always")
def header_at(address: Any) -> Any:
    return carray(pointer_to(address), (HEADER_WORDS,), np.uint32)


@njit(cache=True, nogil=True, inline="always")
def id_in(header: Any) -> Any:
    """Return the id of a record, uint64, 0 while the row is unused."""
    return np.uint64(header[ID_LOW]) | (np.uint64(header[ID_HIGH]) << np.uint64(32))


@njit(cache=True, nogil=True, inline="always")
def _header_of(addresses: Any, row: Any, row_bytes: Any) -> Any:
    return header_at(row_address(addresses, row, row_bytes))


@njit(cache=True, nogil=True, inline="always")
def link_newest(header: Any, row: Any, addresses: Any, row_bytes: Any, ends: Any) -> None:
    """Put a row that is not in the list at its new end."""
    newest = ends[NEWEST]
    header[OLDER] = np.uint32(newest)
    header[NEWER] = np.uint32(0)
    if newest == 0:
        ends[OLDEST] = row + 1
    else:
        _header_of(addresses, newest - 1, row_bytes)[NEWER] = np.uint32(row + 1)
    ends[NEWEST] = row + 1


@njit(cache=True, nogil=True, inline="always")
def unlink(header: Any, addresses: Any, row_bytes: Any, ends: Any) -> None:
    """Take a row that is in the list out of it."""
    older, newer = np.int64(header[OLDER]), np.int64(header[NEWER])
    if older == 0:
        ends[OLDEST] = newer
    else:
        _header_of(addresses, older - 1, row_bytes)[NEWER] = np.uint32(newer)
    if newer == 0:
        ends[NEWEST] = older
    else:
        _header_of(addresses, newer - 1, row_bytes)[OLDER] = np.uint32(older)


@njit(cache=True, nogil=True, inline="always")
def touch(
    header: Any, row: Any, key: Any, version: Any, time: Any, addresses: Any, row_bytes: Any, ends: Any
) -> Any:
    """Note that a row changed; return whether it is new. version, time: uint32, not lower than any before."""
    is_new = header[ID_LOW] == np.uint32(0) and header[ID_HIGH] == np.uint32(0)
    if is_new:
        header[ID_LOW] = np.uint32(key)
        header[ID_HIGH] = np.uint32(key >> np.uint64(32))
    elif header[VERSION] == version:
        return False
    else:
        unlink(header, addresses, row_bytes, ends)
    link_newest(header, row, addresses, row_bytes, ends)
    header[VERSION] = version
    header[TIME] = time
    return is_new


@njit(cache=True, nogil=True)
def link_by_time(rows: Any, ids: Any, addresses: Any, row_bytes: Any, times: Any, ends: Any) -> None:
    """Put new rows into the list where their times belong. times: int64, rising; ids: uint64."""
    before = ends[NEWEST]
    for index in range(len(rows) - 1, -1, -1):
        while before != 0:
            if np.int64(_header_of(addresses, before - 1, row_bytes)[TIME]) <= times[index]:
                break
            before = np.int64(_header_of(addresses, before - 1, row_bytes)[OLDER])
        this = rows[index] + 1
        header = _header_of(addresses, rows[index], row_bytes)
        header[ID_LOW] = np.uint32(ids[index])
        header[ID_HIGH] = np.uint32(ids[index] >> np.uint64(32))
        header[TIME] = np.uint32(times[index])
        header[OLDER] = np.uint32(before)
        if before == 0:
            after = ends[OLDEST]
            header[VERSION] = np.uint32(0)
            ends[OLDEST] = this
        else:
            older = _header_of(addresses, before - 1, row_bytes)
            after = np.int64(older[NEWER])
            header[VERSION] = older[VERSION]
            older[NEWER] = np.uint32(this)
        header[NEWER] = np.uint32(after)
        if after == 0:
            ends[NEWEST] = this
        else:
            _header_of(addresses, after - 1, row_bytes)[OLDER] = np.uint32(this)


@njit(cache=True, nogil=True)
def walk_newest(addresses: Any, row_bytes: Any, ends: Any, version: Any, rows: Any) -> Any:
    """Write the rows changed after `version`, newest first, while there is room; return how many in all."""
    num_rows = 0
    row = ends[NEWEST]
    while row != 0:
        header = _header_of(addresses, row - 1, row_bytes)
        if np.int64(header[VERSION]) <= version:
            break
        if num_rows < len(rows):
            rows[num_rows] = row - 1
        num_rows += 1
        row = np.int64(header[OLDER])
    return num_rows


@njit(cache=True, nogil=True)
def walk_oldest(addresses: Any, row_bytes: Any, ends: Any, least: Any, before: Any, rows: Any) -> Any:
    """Write rows from the oldest on: at least so many, all of the last one's time, and all of earlier times.

    before: time. Returns how many there are in all, of which those are written that there is room for.
    """
    num_rows = 0
    last_time = np.int64(-1)
    row = ends[OLDEST]
    while row != 0:
        header = _header_of(addresses, row - 1, row_bytes)
        time = np.int64(header[TIME])
        if num_rows >= least and time >= before and time != last_time:
            break
        if num_rows < len(rows):
            rows[num_rows] = row - 1
        if num_rows < least:
            last_time = time
        num_rows += 1
        row = np.int64(header[NEWER])
    return num_rows
