"""msgpack with numpy arrays, bounded, and never pickle.

An array is an extension value: a one-byte dtype code, a one-byte rank, the shape as uint32s, the raw bytes
in C order. Only the dtypes below exist on the wire, so nothing unpacked can hold a Python object.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from math import prod
from typing import Any

import msgpack
import numpy as np

from messages.arrays import AnyArray

ARRAY_EXTENSION = 1
MAX_MESSAGE_BYTES = 64 * 1024 * 1024

_DTYPES: tuple[np.dtype[Any], ...] = tuple(
    np.dtype(name).newbyteorder("<") if np.dtype(name).itemsize > 1 else np.dtype(name)
    for name in ("uint8", "int8", "bool", "int16", "int32", "int64", "uint32", "uint64", "float32", "float64")
)
_CODES = {dtype: code for code, dtype in enumerate(_DTYPES)}
_SHAPES = [struct.Struct(f"<{rank}I") for rank in range(256)]


class MalformedMessageError(ValueError):
    """Bytes from outside do not hold what they claim to hold; the text says what is wrong."""


def pack(value: Any) -> bytes:
    """Encode maps, lists, strings, numbers and numpy arrays. Raises TypeError for anything else."""
    packed = msgpack.packb(value, default=_pack_array, use_bin_type=True)
    assert isinstance(packed, bytes)
    return packed


def unpack(data: bytes) -> Any:
    """Decode what `pack` made; arrays are read-only views of `data`. Raises MalformedMessageError."""
    if len(data) > MAX_MESSAGE_BYTES:
        raise MalformedMessageError(f"message of {len(data)} bytes, over the limit of {MAX_MESSAGE_BYTES}")
    try:
        return msgpack.unpackb(data, ext_hook=_unpack_extension, raw=False, strict_map_key=False)
    except MalformedMessageError:
        raise
    except (msgpack.UnpackException, ValueError, TypeError) as error:
        raise MalformedMessageError(f"not a msgpack message: {error or type(error).__name__}") from error


def _pack_array(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        data = _header(value.dtype, value.shape) + value.tobytes()
        # Without the checks of types that are known here, a third of an array's time.
        return tuple.__new__(msgpack.ExtType, (ARRAY_EXTENSION, data))
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} does not travel")


@lru_cache(maxsize=1 << 12)
def _header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """Return what stands before an array's bytes; most arrays have one of few shapes."""
    code = _CODES.get(dtype)
    if code is None:
        raise TypeError(f"arrays of {dtype} do not travel")
    return struct.pack(f"<BB{len(shape)}I", code, len(shape), *shape)


def _unpack_extension(code: int, data: bytes) -> AnyArray:
    if code != ARRAY_EXTENSION:
        raise MalformedMessageError(f"unknown extension {code}")
    if len(data) < 2 or data[0] >= len(_DTYPES) or len(data) < 2 + 4 * data[1]:
        raise MalformedMessageError("array header is cut short or names no known dtype")
    dtype, rank = _DTYPES[data[0]], data[1]
    shape = _SHAPES[rank].unpack_from(data, 2)
    count, start = prod(shape), 2 + 4 * rank
    if len(data) != start + count * dtype.itemsize:
        raise MalformedMessageError(f"array of shape {shape} with {len(data) - start} bytes")
    column = np.frombuffer(data, dtype, count, start)
    return column if rank == 1 else column.reshape(shape)
