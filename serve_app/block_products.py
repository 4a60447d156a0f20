"""Products of a query with a block of vectors of whole numbers, made in the processor's registers.

Two dimensions at a time: a processor multiplies pairs of 16-bit numbers and adds both products to a 32-bit
sum in one instruction (x86's VPMADDWD and VPDPWSSD; others take a few more). So a query is rounded to whole
numbers, too, but to 65,535 of them: beside a code's 255 that is as good as not at all.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

LANES = 64
"""Vectors a block: a cache line of each dimension, and a bit of a word each."""

LARGEST_CODE = 127
_LARGEST_OF_QUERY, _LARGEST_SUM = 2**15 - 1, 2**31 - 1
_VECTOR = 16
"""Lanes whose sums share a register, the widest there is; narrower ones take as many as it needs."""


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def in_pairs(query: Any, pairs: Any) -> Any:
    """Write a query, float32 [d], as `block_products` reads it; return what a step is worth, NaN where a
    number of the query is none.

    pairs: int16 [d or d + 1], even, zeros. No sum can be too large for 32 bits, however many dimensions.
    """
    largest = np.float32(0)
    for number in query:
        if not np.isfinite(number):
            return np.float32(np.nan)
        largest = max(largest, abs(number))
    steps = np.float32(min(_LARGEST_OF_QUERY, _LARGEST_SUM // (LARGEST_CODE * len(query))))
    worth = np.float32(largest / steps)
    if worth > 0:
        for dimension in range(len(query)):
            pairs[dimension] = np.int16(np.round(query[dimension] / worth))
    return worth


@intrinsic  # type: ignore[untyped-decorator]
def lowest_bit(_context: Any, word: Any) -> Any:  # noqa: ARG001 (numba names it at the call, as others below)
    """Return the number of the lowest bit that is set in a word (uint64) that has one."""

    def generate(_target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.IntType(1)(1))

    return types.int64(types.uint64), generate


@intrinsic  # type: ignore[untyped-decorator]
def block_products(
    _context: Any,
    codes: Any,
    block: Any,  # noqa: ARG001
    scales: Any,
    pairs: Any,
    least: Any,  # noqa: ARG001
    products: Any,
) -> Any:
    """Write the products of a block's vectors; return which of them are higher than `least`, a bit a lane.

    codes: int8 [blocks, pairs, LANES, 2]. scales: float32 [blocks, LANES], by which the sums are multiplied.
    pairs: int16 [2 * pairs]. products: float32 [LANES]. All C-contiguous; a NaN is not higher.

    Explicit vectors, since the compiler would have the sums in memory between two pairs.
    """
    wanted = zip((codes, scales, pairs, products), ("int8", "float32", "int16", "float32"), strict=True)
    if any((str(array.dtype), array.layout) != (dtype, "C") for array, dtype in wanted):
        raise TypingError("codes, scales, pairs and products are C-contiguous int8, float32, int16, float32")
    byte, short, single, word = ir.IntType(8), ir.IntType(16), ir.FloatType(), ir.IntType(64)
    sums, factors = ir.VectorType(ir.IntType(32), _VECTOR), ir.VectorType(single, _VECTOR)
    some_codes, some_pairs = ir.VectorType(byte, 2 * _VECTOR), ir.VectorType(short, 2 * _VECTOR)
    both = ir.VectorType(ir.IntType(32), 2 * _VECTOR)
    everywhere, even, odd = (
        ir.Constant(sums, [step * lane + first for lane in range(_VECTOR)])
        for step, first in ((0, 0), (2, 0), (2, 1))
    )
    groups = range(0, LANES, _VECTOR)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        codes, scales, pairs, products = (
            make_array(signature.args[place])(context, builder, arguments[place]) for place in (0, 2, 3, 5)
        )

        def of_block(array: Any, kind: Any) -> Any:
            stride = cgutils.unpack_tuple(builder, array.strides)[0]
            start = cgutils.pointer_add(builder, array.data, builder.mul(arguments[1], stride))
            return builder.bitcast(start, kind.as_pointer())

        def at(start: Any, offset: Any, kind: Any) -> Any:
            return builder.bitcast(builder.gep(start, [offset]), kind.as_pointer())

        def spread(number: Any, kind: Any) -> Any:
            undefined = ir.Constant(kind, ir.Undefined)
            alone = builder.insert_element(undefined, number, ir.IntType(32)(0))
            return builder.shuffle_vector(alone, undefined, everywhere)

        # On the stack, as far as this says: the compiler makes registers of them.
        totals = [cgutils.alloca_once(builder, sums) for _ in groups]
        for total in totals:
            builder.store(ir.Constant(sums, [0] * _VECTOR), total)
        start_of_codes = of_block(codes, byte)
        start_of_pairs = builder.bitcast(pairs.data, ir.IntType(32).as_pointer())
        with cgutils.for_range(builder, cgutils.unpack_tuple(builder, codes.shape)[1]) as loop:
            pair = spread(builder.load(builder.gep(start_of_pairs, [loop.index]), align=2), sums)
            pair = builder.sext(builder.bitcast(pair, some_pairs), both)
            line = builder.gep(start_of_codes, [builder.mul(loop.index, word(2 * LANES))])
            for first, total in zip(groups, totals, strict=True):
                some = builder.load(at(line, word(2 * first), some_codes), align=1)
                # By way of 16 bits, as those of the pair: the compiler then knows the instruction.
                some = builder.sext(builder.sext(some, some_pairs), both)
                made = builder.mul(some, pair)
                made = builder.add(*(builder.shuffle_vector(made, made, half) for half in (even, odd)))
                builder.store(builder.add(builder.load(total), made), total)
        start_of_scales, start_of_products = of_block(scales, single), products.data
        limit, higher = spread(arguments[4], factors), word(0)
        for first, total in zip(groups, totals, strict=True):
            scale = builder.load(at(start_of_scales, word(first), factors), align=4)
            product = builder.fmul(builder.sitofp(builder.load(total), factors), scale)
            builder.store(product, at(start_of_products, word(first), factors), align=4)
            bits = builder.bitcast(builder.fcmp_ordered(">", product, limit), ir.IntType(_VECTOR))
            higher = builder.or_(higher, builder.shl(builder.zext(bits, word), word(first)))
        return higher

    whole, limit = types.int64, types.float32
    return types.uint64(codes, whole, scales, pairs, limit, products), generate
