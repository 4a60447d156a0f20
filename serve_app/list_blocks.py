"""The memory of lists of vectors, and the compiled loops over it.

A vector is kept as int8 codes and a scale of its own: largest number / 127, so a code is off by half of it at
most. Blocks of 64 vectors are laid out by dimension, so that one instruction meets the same dimension of many
(André, Kermarrec and Le Scouarnec, "Quick ADC", ICMR 2017). Queries are not rounded.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from messages.arrays import AnyArray, IntArray
from serve_app.best_products import SUMS, cut_down, keep_best

LANES = 64
"""Vectors a block: a cache line of each dimension."""


class ListBlocks(NamedTuple):
    """What the loops work on. A block that is in no list is in the chain that `free` begins."""

    heads: IntArray
    """[lists], the first block of each, -1 for none."""
    sizes: IntArray
    """[lists], vectors of each."""
    free: IntArray
    """[2], the first free block that was in use before, -1 for none, and how many were ever in use."""
    codes: AnyArray
    """int8 [blocks, dimension, lanes]."""
    scales: AnyArray
    """float32 [blocks, lanes]."""
    rows: AnyArray
    """int64 [blocks, lanes]."""
    following: AnyArray
    """int64 [blocks], the next of the same chain, -1 at its end."""
    lists: AnyArray
    """int64 [blocks], in which each is."""
    places: AnyArray
    """int64 [rows], where each row is: block * lanes + lane, -1 for nowhere."""


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def put_vectors(rows: Any, lists: Any, vectors: Any, blocks: Any) -> None:
    for index in range(len(rows)):
        row, chosen = rows[index], lists[index]
        place = blocks.places[row]
        if place >= 0 and blocks.lists[place // LANES] != chosen:
            _take_out(row, blocks)
            place = np.int64(-1)
        if place < 0:
            lane = blocks.sizes[chosen] % LANES
            if lane == 0:
                _begin_block(chosen, blocks)
            block = blocks.heads[chosen]
            blocks.sizes[chosen] += 1
            blocks.rows[block, lane] = row
            place = block * LANES + lane
            blocks.places[row] = place
        _quantize(vectors[index], place // LANES, place % LANES, blocks)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def chains(blocks: Any) -> Any:
    """Return all blocks that are in lists, list by list, in the order of their chains, int64 [b]."""
    order = np.empty(blocks.free[1], dtype=np.int64)
    count = 0
    for block in blocks.heads:
        while block >= 0:
            order[count] = block
            count += 1
            block = blocks.following[block]
    return order[:count]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def remove_rows(rows: Any, blocks: Any) -> None:
    for row in rows:
        if row < len(blocks.places) and blocks.places[row] >= 0:
            _take_out(row, blocks)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _take_out(row: Any, blocks: Any) -> None:
    """Fill the row's place with the last one of its list, and free the first block if nothing is left."""
    place = blocks.places[row]
    block, lane = place // LANES, place % LANES
    chosen = blocks.lists[block]
    blocks.sizes[chosen] -= 1
    head, last = blocks.heads[chosen], blocks.sizes[chosen] % LANES
    moved = blocks.rows[head, last]
    blocks.codes[block, :, lane] = blocks.codes[head, :, last]
    blocks.scales[block, lane] = blocks.scales[head, last]
    blocks.rows[block, lane] = moved
    blocks.places[moved] = place
    blocks.places[row] = -1
    if last == 0:
        blocks.heads[chosen] = blocks.following[head]
        blocks.following[head] = blocks.free[0]
        blocks.free[0] = head


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _begin_block(chosen: Any, blocks: Any) -> None:
    block = blocks.free[0]
    if block >= 0:
        blocks.free[0] = blocks.following[block]
    else:
        block = blocks.free[1]
        blocks.free[1] += 1
    blocks.following[block] = blocks.heads[chosen]
    blocks.lists[block] = chosen
    blocks.heads[chosen] = block


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _quantize(vector: Any, block: Any, lane: Any, blocks: Any) -> None:
    """Write a vector's codes and scale; of one with a number that is none NaN, so that it is never found."""
    scale = np.float32(0)
    for number in vector:
        scale = max(scale, abs(number) / np.float32(127))
        if not np.isfinite(number):
            scale = np.float32(np.nan)
            break
    blocks.scales[block, lane] = scale
    for dimension in range(len(vector)):
        code = np.round(vector[dimension] / scale) if scale > 0 else np.float32(0)
        blocks.codes[block, dimension, lane] = np.int8(code)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def scan_lists(
    query: Any, lists: Any, count: Any, left_out: Any, marks: Any, blocks: Any, rows: Any, products: Any
) -> Any:
    """Return how many were found: `rows` and `products` are filled with all that are better than the
    count-th best so far, and cut down whenever they are full. marks: a bit for each row number, none set
    before or after; those of `left_out` meanwhile."""
    _mark(left_out, marks)
    sums = np.empty(LANES, dtype=np.float32)
    least, found = np.float32(-np.inf), 0
    for chosen in lists:
        block, lanes = blocks.heads[chosen], (blocks.sizes[chosen] - 1) % LANES + 1
        while block >= 0:
            if _multiply(blocks.codes[block], blocks.scales[block], query, least, sums):
                for lane in range(lanes):
                    row = blocks.rows[block, lane]
                    if sums[lane] > least and (marks[row >> 3] >> (row & 7)) & 1 == 0:
                        rows[found], products[found] = row, sums[lane]
                        found += 1
                if found > len(rows) - LANES:
                    found, least = cut_down(rows, products, found, count)
            block, lanes = blocks.following[block], LANES
    if found > count:
        found, _ = cut_down(rows, products, found, count)
        keep_best(rows, products, found, count)
        found = count
    for row in left_out:
        if row >> 3 < len(marks):
            marks[row >> 3] = 0
    return found


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _mark(rows: Any, marks: Any) -> None:
    for row in rows:
        if row >> 3 < len(marks):
            marks[row >> 3] |= np.uint8(1 << (row & 7))


@njit(cache=True, nogil=True, fastmath=SUMS)  # type: ignore[untyped-decorator]
def _multiply(codes: Any, scales: Any, query: Any, least: Any, sums: Any) -> Any:
    """Write the products of a block's vectors; return whether any is higher than `least`.

    Loops over a fixed number of lanes and without a branch become vector instructions; four dimensions at a
    time, since the sums go to memory and back each time, which takes as long as multiplying them.
    """
    for lane in range(LANES):
        sums[lane] = 0
    num_dimensions = len(codes)
    for first in range(0, num_dimensions - 3, 4):
        one, two, three, four = query[first], query[first + 1], query[first + 2], query[first + 3]
        for lane in range(LANES):
            sums[lane] += (
                one * np.float32(codes[first, lane])
                + two * np.float32(codes[first + 1, lane])
                + three * np.float32(codes[first + 2, lane])
                + four * np.float32(codes[first + 3, lane])
            )
    for last in range(num_dimensions - num_dimensions % 4, num_dimensions):
        for lane in range(LANES):
            sums[lane] += query[last] * np.float32(codes[last, lane])
    higher = np.int32(0)
    for lane in range(LANES):
        sums[lane] *= scales[lane]
        higher += np.int32(sums[lane] > least)
    return higher > 0
