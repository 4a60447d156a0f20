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
def add_products(rows: Any, panels: Any, sums: Any, num_rectified: Any) -> None:
    """sums += rows @ weight; then max(sums, 0) in the first panels of them, a NaN stays one.

    All C-contiguous float32. rows: [n, at least d]. panels: [p, d, PANEL], `in_panels` of the weight.
    sums: [n, p * PANEL].
    """
    for panel in range(len(panels)):
        for first in range(0, len(rows), _TILE_ROWS):
            _add_tile(rows, first, panels, panel, sums, panel < num_rectified)


@intrinsic  # type: ignore[untyped-decorator]
def _add_tile(
    _context: Any,
    rows: Any,
    first: Any,  # noqa: ARG001 (numba names it at the call, as others below)
    panels: Any,
    panel: Any,  # noqa: ARG001
    sums: Any,
    rectified: Any,  # noqa: ARG001
) -> Any:
    """Do for some rows from `first` on and for one panel what `add_products` does.

    Explicit vectors, since the compiler keeps no sums in registers by itself. After the last row comes itself
    again, so a tile is always full and has no other code for its rest.
    """
    single, integer = ir.FloatType(), ir.IntType(64)
    vector = ir.VectorType(single, PANEL)
    everywhere = ir.Constant(ir.VectorType(ir.IntType(32), PANEL), [0] * PANEL)
    undefined, zeros = ir.Constant(vector, ir.Undefined), ir.Constant(vector, [0.0] * PANEL)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        inputs, weights, outputs = (
            make_array(signature.args[place])(context, builder, arguments[place]) for place in (0, 2, 4)
        )
        first, panel, rectified = (arguments[place] for place in (1, 3, 5))
        num_rows, _ = cgutils.unpack_tuple(builder, inputs.shape)
        _, depth, _ = cgutils.unpack_tuple(builder, weights.shape)

        def at(array: Any, index: Any) -> Any:
            stride = cgutils.unpack_tuple(builder, array.strides)[0]
            return cgutils.pointer_add(builder, array.data, builder.mul(index, stride))

        def vector_at(start: Any, offset: Any) -> Any:
            return builder.bitcast(builder.gep(start, [offset]), vector.as_pointer())

        multiply_add = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fmuladd.v{PANEL}f32"
        )
        column, last = builder.mul(panel, integer(PANEL)), builder.sub(num_rows, integer(1))
        numbers = [builder.add(first, integer(row)) for row in range(_TILE_ROWS)]
        numbers = [builder.select(builder.icmp_signed("<", row, last), row, last) for row in numbers]
        starts, places = [at(inputs, row) for row in numbers], [at(outputs, row) for row in numbers]
        sums = [cgutils.alloca_once(builder, vector) for _ in numbers]
        for place, total in zip(places, sums, strict=True):
            builder.store(builder.load(vector_at(place, column), align=4), total)
        start_of_weights = at(weights, panel)
        with cgutils.for_range(builder, depth) as loop:
            place_of_weights = vector_at(start_of_weights, builder.mul(loop.index, integer(PANEL)))
            row_of_weights = builder.load(place_of_weights, align=4)
            for start, total in zip(starts, sums, strict=True):
                number = builder.load(builder.gep(start, [loop.index]))
                spread = builder.insert_element(undefined, number, ir.IntType(32)(0))
                spread = builder.shuffle_vector(spread, undefined, everywhere)
                product = builder.call(multiply_add, [spread, row_of_weights, builder.load(total)])
                builder.store(product, total)
        for place, total in zip(places, sums, strict=True):
            value = builder.load(total)
            negative = builder.fcmp_ordered("<", value, zeros)
            cut = builder.select(negative, zeros, value)
            builder.store(builder.select(rectified, cut, value), vector_at(place, column), align=4)
        return context.get_dummy_value()

    return types.void(rows, types.int64, panels, types.int64, sums, types.boolean), generate
