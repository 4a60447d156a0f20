"""Products of rows and weights in single precision, made in the processor's registers from start to end.

A library multiplies whole matrices: between two layers, hidden units of hundreds of rows lie in memory. Here
few rows can go through all layers while their units are still in the nearest caches, weights are read where
they lie, sums begin as the biases and end rectified. And no row's sums depend on the rows beside it.

The tile is what fits the registers of any processor with vectors of 32 bytes or more (Goto and van de Geijn,
Anatomy of high-performance matrix multiplication, ACM TOMS 34, 2008).
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from messages.arrays import FloatArray

PANEL = 16
"""Columns of weights that are multiplied at once: a cache line of them."""

_TILE_ROWS = 6
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
    places, count = np.arange(panels.shape[1]), panels.shape[1]
    for first in range(0, len(rows), _TILE_ROWS):
        if sparse:
            count = _put_places(rows, first, places)
        for panel in range(len(panels)):
            _add_tile(rows, first, places, count, panels, panel, sums, panel < num_rectified)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _put_places(rows: Any, first: Any, places: Any) -> Any:
    """Write where numbers of a tile, from row `first` on, are other than 0 in any row; return how many."""
    bits, last = rows.view(np.int32), len(rows) - 1
    # All _TILE_ROWS in one pass, the last row in place of those after it.
    a, b, c = bits[first], bits[min(first + 1, last)], bits[min(first + 2, last)]
    d, e, f = bits[min(first + 3, last)], bits[min(first + 4, last)], bits[min(first + 5, last)]
    seen = np.empty(len(places), dtype=np.int32)
    for place in range(len(places)):
        seen[place] = a[place] | b[place] | c[place] | d[place] | e[place] | f[place]
    count = 0
    for place in range(len(places)):  # without a branch: which unit is 0 cannot be predicted
        places[count] = place
        count += seen[place] != 0
    return count


@intrinsic  # type: ignore[untyped-decorator]
def _add_tile(
    _context: Any,
    rows: Any,
    first: Any,  # noqa: ARG001 (numba names it at the call, as others below)
    places: Any,
    count: Any,  # noqa: ARG001
    panels: Any,
    panel: Any,  # noqa: ARG001
    sums: Any,
    rectified: Any,  # noqa: ARG001
) -> Any:
    """Do for some rows from `first` on and for one panel what `add_products` does.

    Explicit vectors, since the compiler keeps no sums in registers by itself. After the last row comes itself
    again, so a tile is always full and has no other code for its rest.
    """
    if any((array.dtype, array.layout) != (types.float32, "C") for array in (rows, panels, sums)):
        raise TypingError("rows, panels and sums are C-contiguous and float32")
    single, integer = ir.FloatType(), ir.IntType(64)
    vector = ir.VectorType(single, PANEL)
    everywhere = ir.Constant(ir.VectorType(ir.IntType(32), PANEL), [0] * PANEL)
    undefined, zeros = ir.Constant(vector, ir.Undefined), ir.Constant(vector, [0.0] * PANEL)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        inputs, chosen, weights, outputs = (
            make_array(signature.args[place])(context, builder, arguments[place]) for place in (0, 2, 4, 6)
        )
        first, count, panel, rectified = (arguments[place] for place in (1, 3, 5, 7))

        def at(array: Any, index: Any) -> Any:
            stride = cgutils.unpack_tuple(builder, array.strides)[0]
            return cgutils.pointer_add(builder, array.data, builder.mul(index, stride))

        def vector_at(start: Any, offset: Any) -> Any:
            return builder.bitcast(builder.gep(start, [offset]), vector.as_pointer())

        multiply_add = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fmuladd.v{PANEL}f32"
        )
        last = builder.sub(cgutils.unpack_tuple(builder, inputs.shape)[0], integer(1))
        numbers = [builder.add(first, integer(row)) for row in range(_TILE_ROWS)]
        numbers = [builder.select(builder.icmp_signed("<", row, last), row, last) for row in numbers]
        starts = [at(inputs, row) for row in numbers]
        ends = [vector_at(at(outputs, row), builder.mul(panel, integer(PANEL))) for row in numbers]
        # On the stack, as far as this says: the compiler makes registers of them.
        totals = [cgutils.alloca_once(builder, vector) for _ in numbers]
        for end, total in zip(ends, totals, strict=True):
            builder.store(builder.load(end, align=4), total)
        start_of_weights = at(weights, panel)
        with cgutils.for_range(builder, count) as loop:
            place = builder.load(builder.gep(chosen.data, [loop.index]))
            line = builder.load(vector_at(start_of_weights, builder.mul(place, integer(PANEL))), align=4)
            for start, total in zip(starts, totals, strict=True):
                number = builder.load(builder.gep(start, [place]))
                spread = builder.insert_element(undefined, number, ir.IntType(32)(0))
                spread = builder.shuffle_vector(spread, undefined, everywhere)
                builder.store(builder.call(multiply_add, [spread, line, builder.load(total)]), total)
        for end, total in zip(ends, totals, strict=True):
            value = builder.load(total)
            cut = builder.select(builder.fcmp_ordered("<", value, zeros), zeros, value)
            builder.store(builder.select(rectified, cut, value), end, align=4)
        return context.get_dummy_value()

    whole = types.int64
    return types.void(rows, whole, places, whole, panels, whole, sums, types.boolean), generate
