"""Products of rows and weights in single precision, made in the processor's registers from start to end.

A library multiplies whole matrices: between two layers, hidden units of hundreds of rows lie in memory. Here
few rows can go through all layers while their units are still in the nearest caches, weights are read where
they lie, sums begin as the biases and end rectified. And no row's sums depend on the rows beside it.

A tile is what fits the registers (Goto and van de Geijn, Anatomy of high-performance matrix multiplication,
ACM TOMS 34, 2008): of any processor with vectors of 32 bytes or more, and twice as much of one with AVX-512.
"""

from __future__ import annotations

from itertools import chain
from math import prod
from typing import Any

import numpy as np
from llvmlite import binding, ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from messages.arrays import FloatArray

PANEL = 16
"""Columns of weights that are multiplied at once: a cache line of them."""

_TILE_ROWS = 6
_TILE_PANELS = 2 if binding.get_host_cpu_features().get("avx512f") else 1
"""With two each number of the rows is read for 32 columns: a quarter faster, where 12 sums find registers."""

_CACHE_LINE = 64


def padded_width(columns: int) -> int:
    """Return the columns of the panels that hold so many."""
    return -(-columns // PANEL) * PANEL


def in_panels(weight: FloatArray) -> FloatArray:
    """Lay out a weight, [d, c], as `add_products` reads it: float32 [p, d, PANEL], zeros after its end."""
    depth, columns = weight.shape
    padded = np.zeros((depth, padded_width(columns)), dtype=np.float32)
    padded[:, :columns] = weight
    panels = aligned((padded.shape[1] // PANEL, depth, PANEL))
    panels[:] = padded.reshape(depth, -1, PANEL).swapaxes(0, 1)
    return panels


def aligned(shape: tuple[int, ...]) -> FloatArray:
    """Return float32 memory that begins on a cache line."""
    room = np.empty(prod(shape) + _CACHE_LINE // 4, dtype=np.float32)
    skip = (-room.ctypes.data % _CACHE_LINE) // 4
    values: FloatArray = room[skip : skip + prod(shape)].reshape(shape)
    return values


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def add_products(rows: Any, panels: Any, sums: Any, num_rectified: Any, sparse: Any) -> None:
    """sums += rows @ weight; then max(sums, 0) in the first panels of them, a NaN stays one.

    All C-contiguous float32. rows: [n, at least d]. panels: [p, d, PANEL], `in_panels` of the weight.
    sums: [n, p * PANEL]. sparse: whether many of the rows' numbers are 0; those are left out that are so in a
    whole tile. Of one request's units a third and more are: the same person moves all its rows.
    """
    places, count = np.arange(panels.shape[1]).astype(np.int32), panels.shape[1]
    for first in range(0, len(rows), _TILE_ROWS):
        if sparse:
            count = _put_places(rows, first, places)
        for panel in range(0, len(panels) - _TILE_PANELS + 1, _TILE_PANELS):
            _add_tile(rows, first, places, count, panels, panel, sums, num_rectified)
        for panel in range(len(panels) - len(panels) % _TILE_PANELS, len(panels)):
            _add_narrow_tile(rows, first, places, count, panels, panel, sums, num_rectified)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _put_places(rows: Any, first: Any, places: Any) -> Any:
    """Write where numbers of a tile, from row `first` on, are other than 0 in any row; return how many."""
    count = _put_places_by_vectors(rows, first, places)
    for place in range(len(places) - len(places) % PANEL, len(places)):
        seen = False
        for row in range(first, min(first + _TILE_ROWS, len(rows))):
            seen |= rows[row, place] != 0
        places[count] = place
        count += seen
    return count


@intrinsic  # type: ignore[untyped-decorator]
def _put_places_by_vectors(
    _context: Any,
    rows: Any,
    first: Any,  # noqa: ARG001 (numba names it at the call, as others below)
    places: Any,
) -> Any:
    """Do that as far as whole vectors go. Without a branch: which unit is 0 cannot be predicted."""
    integer = ir.IntType(64)
    vector, mask = ir.VectorType(ir.IntType(32), PANEL), ir.VectorType(ir.IntType(1), PANEL)
    zeros, steps = ir.Constant(vector, [0] * PANEL), ir.Constant(vector, list(range(PANEL)))

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        inputs, chosen = (
            make_array(signature.args[place])(context, builder, arguments[place]) for place in (0, 2)
        )
        starts = _row_starts(builder, inputs, arguments[1])
        compress = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(vector, [vector, mask, vector]),
            f"llvm.experimental.vector.compress.v{PANEL}i32",
        )
        size = cgutils.unpack_tuple(builder, chosen.shape)[0]
        count = cgutils.alloca_once_value(builder, integer(0))
        with cgutils.for_range(builder, builder.udiv(size, integer(PANEL))) as loop:
            place = builder.mul(loop.index, integer(PANEL))
            seen = zeros
            for start in starts:
                pointer = builder.bitcast(builder.gep(start, [place]), vector.as_pointer())
                seen = builder.or_(seen, builder.load(pointer, align=4))
            is_seen = builder.icmp_unsigned("!=", seen, zeros)
            numbers = builder.add(steps, _spread(builder, builder.trunc(place, ir.IntType(32)), vector))
            # The lanes after those that are seen are written too, and over with the next vector's.
            end = builder.bitcast(builder.gep(chosen.data, [builder.load(count)]), vector.as_pointer())
            builder.store(builder.call(compress, [numbers, is_seen, zeros]), end, align=4)
            num_seen = builder.ctpop(builder.bitcast(is_seen, ir.IntType(PANEL)))
            builder.store(builder.add(builder.load(count), builder.zext(num_seen, integer)), count)
        return builder.load(count)

    return types.int64(rows, types.int64, places), generate


def _row_starts(builder: Any, rows: Any, first: Any) -> list[Any]:
    """Return where the rows of a tile begin; after the last row comes itself again, so a tile is always full
    and has no other code for its rest."""
    stride = cgutils.unpack_tuple(builder, rows.strides)[0]
    one, last = ir.IntType(64)(1), cgutils.unpack_tuple(builder, rows.shape)[0]
    last = builder.sub(last, one)
    starts = []
    for number in range(_TILE_ROWS):
        row = builder.add(first, ir.IntType(64)(number))
        row = builder.select(builder.icmp_signed("<", row, last), row, last)
        starts.append(cgutils.pointer_add(builder, rows.data, builder.mul(row, stride)))
    return starts


def _spread(builder: Any, number: Any, vector: Any) -> Any:
    """Return a vector with the same number in each of its lanes."""
    undefined = ir.Constant(vector, ir.Undefined)
    everywhere = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), [0] * vector.count)
    first = builder.insert_element(undefined, number, ir.IntType(32)(0))
    return builder.shuffle_vector(first, undefined, everywhere)


def _tile_of(num_panels: int) -> Any:
    """Return the function that does for some rows and for so many panels what `add_products` does.

    Explicit vectors, since the compiler keeps no sums in registers by itself.
    """
    integer, vector = ir.IntType(64), ir.VectorType(ir.FloatType(), PANEL)
    zeros = ir.Constant(vector, [0.0] * PANEL)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        inputs, chosen, weights, outputs = (
            make_array(signature.args[place])(context, builder, arguments[place]) for place in (0, 2, 4, 6)
        )
        first, count, panel, num_rectified = (arguments[place] for place in (1, 3, 5, 7))

        def vector_at(start: Any, number: Any) -> Any:
            return builder.bitcast(
                builder.gep(start, [builder.mul(number, integer(PANEL))]), vector.as_pointer()
            )

        multiply_add = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fmuladd.v{PANEL}f32"
        )
        starts = _row_starts(builder, inputs, first)
        together = [builder.add(panel, integer(number)) for number in range(num_panels)]
        stride = cgutils.unpack_tuple(builder, weights.strides)[0]
        of_panels = [
            cgutils.pointer_add(builder, weights.data, builder.mul(number, stride)) for number in together
        ]
        ends = [
            [vector_at(start, number) for number in together]
            for start in _row_starts(builder, outputs, first)
        ]
        # On the stack, as far as this says: the compiler makes registers of them.
        totals = [[cgutils.alloca_once(builder, vector) for _ in together] for _ in starts]
        for end, total in zip(chain(*ends), chain(*totals), strict=True):
            builder.store(builder.load(end, align=4), total)
        with cgutils.for_range(builder, count) as loop:
            place = builder.zext(builder.load(builder.gep(chosen.data, [loop.index])), integer)
            lines = [builder.load(vector_at(start, place), align=4) for start in of_panels]
            for start, of_row in zip(starts, totals, strict=True):
                spread = _spread(builder, builder.load(builder.gep(start, [place])), vector)
                for line, total in zip(lines, of_row, strict=True):
                    builder.store(builder.call(multiply_add, [spread, line, builder.load(total)]), total)
        rectified = [builder.icmp_signed("<", number, num_rectified) for number in together]
        for of_row, row_ends in zip(totals, ends, strict=True):
            for total, end, is_rectified in zip(of_row, row_ends, rectified, strict=True):
                value = builder.load(total)
                cut = builder.select(builder.fcmp_ordered("<", value, zeros), zeros, value)
                builder.store(builder.select(is_rectified, cut, value), end, align=4)
        return context.get_dummy_value()

    @intrinsic  # type: ignore[untyped-decorator]
    def add_tile(
        _context: Any,
        rows: Any,
        first: Any,  # noqa: ARG001
        places: Any,
        count: Any,  # noqa: ARG001
        panels: Any,
        panel: Any,  # noqa: ARG001
        sums: Any,
        num_rectified: Any,  # noqa: ARG001
    ) -> Any:
        """Rows from `first` on, panels from `panel` on."""
        if any((array.dtype, array.layout) != (types.float32, "C") for array in (rows, panels, sums)):
            raise TypingError("rows, panels and sums are C-contiguous and float32")
        whole = types.int64
        return types.void(rows, whole, places, whole, panels, whole, sums, whole), generate

    return add_tile


_add_tile, _add_narrow_tile = _tile_of(_TILE_PANELS), _tile_of(1)
