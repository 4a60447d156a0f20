"""The memory of lists of vectors, and the compiled loops over it.

A vector is kept as int8 codes and a scale of its own: largest number / 127, so a code is off by half of it at
most. Blocks of 64 vectors are laid out by dimension, so that one instruction meets the same ones of many
(André, Kermarrec and Le Scouarnec, "Quick ADC", ICMR 2017): `block_products.py`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from messages.arrays import AnyArray, IntArray
from serve_app.best_products import cut_down, keep_best
from serve_app.block_products import LANES, LARGEST_CODE, block_products, in_pairs, lowest_bit
from serve_app.row_prefetch import ask_for_whole

_ALL_LANES = np.uint64(2**LANES - 1)
_BLOCKS_AHEAD = 3
"""Lists lie all over the memory, and no processor guesses where the next one begins: asked for so early, a
scan takes up to a quarter less."""


class ListBlocks(NamedTuple):
    """What the loops work on. A block that is in no list is in the chain that `free` begins."""

    heads: IntArray
    """[lists], the first block of each, -1 for none."""
    sizes: IntArray
    """[lists], vectors of each."""
    free: IntArray
    """[2], the first free block that was in use before, -1 for none, and how many were ever in use."""
    codes: AnyArray
    """int8 [blocks, pairs of dimensions, lanes, 2]; of an odd dimension the last ones are 0."""
    scales: AnyArray
    """float32 [blocks, lanes]."""
    rows: AnyArray
    """int64 [blocks, lanes]."""
    hidden: AnyArray
    """uint64 [blocks], a bit for each lane that a scan is not to find; none between two scans."""
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
    blocks.codes[block, :, lane, :] = blocks.codes[head, :, last, :]
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
        scale = max(scale, abs(number) / np.float32(LARGEST_CODE))
        if not np.isfinite(number):
            scale = np.float32(np.nan)
            break
    blocks.scales[block, lane] = scale
    for dimension in range(len(vector)):
        code = np.round(vector[dimension] / scale) if scale > 0 else np.float32(0)
        blocks.codes[block, dimension // 2, lane, dimension % 2] = np.int8(code)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def scan_lists(
    query: Any, lists: Any, count: Any, left_out: Any, blocks: Any, found: Any, products: Any
) -> Any:
    """Return how many were found: `found` and `products` are filled with the places of all that are better
    than the count-th best so far, and cut down whenever they are full; in the end rows take the places of
    places. A query with a number that is none finds nothing."""
    pairs, sums = np.zeros(2 * blocks.codes.shape[1], dtype=np.int16), np.empty(LANES, dtype=np.float32)
    worth = in_pairs(query, pairs)
    if np.isnan(worth):
        return 0
    _hide(left_out, True, blocks)
    least, num_found = np.float32(-np.inf), 0
    chosen, lanes = _blocks_of(lists, blocks)
    for index in range(len(chosen)):
        if index + _BLOCKS_AHEAD < len(chosen):
            ahead = chosen[index + _BLOCKS_AHEAD]
            ask_for_whole(blocks.codes, ahead)
            ask_for_whole(blocks.scales, ahead)
        block = chosen[index]
        higher = block_products(blocks.codes, block, blocks.scales, pairs, least, sums)
        higher &= ~blocks.hidden[block] & lanes[index]
        while higher:
            lane = lowest_bit(higher)
            found[num_found], products[num_found] = block * LANES + lane, sums[lane]
            num_found += 1
            higher &= higher - np.uint64(1)
        if num_found > len(found) - LANES:
            num_found, least = cut_down(found, products, num_found, count)
    if num_found > count:
        num_found, _ = cut_down(found, products, num_found, count)
        keep_best(found, products, num_found, count)
        num_found = count
    for index in range(num_found):
        found[index] = blocks.rows[found[index] // LANES, found[index] % LANES]
        products[index] *= worth
    _hide(left_out, False, blocks)
    return num_found


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _blocks_of(lists: Any, blocks: Any) -> Any:
    """Return the blocks of some lists, list by list, and of each the bits of the lanes that hold a vector."""
    count = 0
    for chosen in lists:
        count += -(-blocks.sizes[chosen] // LANES)
    numbers, lanes = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.uint64)
    place = 0
    for chosen in lists:
        block, spare = blocks.heads[chosen], -blocks.sizes[chosen] % LANES
        while block >= 0:
            numbers[place], lanes[place] = block, _ALL_LANES >> np.uint64(spare)
            place += 1
            block, spare = blocks.following[block], 0
    return numbers, lanes


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _hide(rows: Any, hidden: Any, blocks: Any) -> None:
    """Set the bits of rows, or take all of their blocks back."""
    for row in rows:
        place = blocks.places[row] if row < len(blocks.places) else -1
        if place >= 0:
            if hidden:
                blocks.hidden[place // LANES] |= np.uint64(1) << np.uint64(place % LANES)
            else:
                blocks.hidden[place // LANES] = 0
