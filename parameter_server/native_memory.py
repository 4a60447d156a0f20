"""The few unsafe steps of the kernels, in one place: addresses, prefetching, one array type for inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from messages.arrays import AnyArray


def kernel_input(array: Any, dtype: Any) -> AnyArray:
    """Return `array` as a C-contiguous, aligned, read-only view, copied only where it is not so already.

    Numba compiles anew for every combination of layout, alignment and writability, and arrays come in all of
    them: read-only from Ray's object store, unaligned from msgpack. One form means one compilation.
    """
    fits = isinstance(array, np.ndarray) and array.dtype == dtype
    if not (fits and array.flags.c_contiguous and array.flags.aligned):  # numpy takes twice as long to see it
        array = np.require(array, dtype=dtype, requirements=("C", "A"))
    view: AnyArray = array.view()
    view.flags.writeable = False
    return view


def aligned_zeros(num_words: int) -> AnyArray:
    """Return uint64 zeros [num_words] that begin on a cache line."""
    padded = np.zeros(num_words + 8, dtype=np.uint64)
    skip = (-padded.ctypes.data % 64) // 8
    return padded[skip : skip + num_words]


@intrinsic
def pointer_to(_context: Any, address: Any) -> Any:  # noqa: ARG001 (numba names it at the call)
    """Turn an address (uint64) into a pointer that `numba.carray` can give a shape and a type."""

    def generate(_target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(types.uint64), generate


@intrinsic
def prefetch(_context: Any, address: Any) -> Any:  # noqa: ARG001
    """Ask for the cache line at an address (uint64) ahead of its use."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        flag = ir.IntType(32)
        pointer = builder.inttoptr(arguments[0], cgutils.voidptr_t)
        function = builder.module.declare_intrinsic(
            "llvm.prefetch",
            [cgutils.voidptr_t],
            ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, flag, flag, flag]),
        )
        builder.call(function, [pointer, flag(0), flag(3), flag(1)])
        return context.get_dummy_value()

    return types.void(types.uint64), generate


@intrinsic
def copy_bytes(_context: Any, target: Any, source: Any, num_bytes: Any) -> Any:  # noqa: ARG001
    """Copy bytes between addresses (uint64) that do not overlap; num_bytes: int64."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        to, start, length = arguments
        cgutils.raw_memcpy(
            builder,
            builder.inttoptr(to, cgutils.voidptr_t),
            builder.inttoptr(start, cgutils.voidptr_t),
            length,
            1,
        )
        return context.get_dummy_value()

    return types.void(types.uint64, types.uint64, types.int64), generate
