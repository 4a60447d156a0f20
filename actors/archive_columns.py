"""Numpy columns as Arrow columns and back, whatever fields the messages have or will have.

    1-D array              a column of its type
    2-D array [n, w]       fixed-size lists
    IdBags                 lists of uint64
    list of float arrays   lists of float32
    list of strings        strings
    dataclass, mapping     a struct of these

A field that is None has no column; a row without (an event that was not joined) is null there.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from messages.arrays import AnyArray, IntArray
from messages.features import IdBags


def to_arrow(value: Any) -> pa.Array:
    """Return n rows as one Arrow array. Raises TypeError for what is no column."""
    if isinstance(value, np.ndarray):
        if value.ndim == 1:
            return pa.array(value)
        return pa.FixedSizeListArray.from_arrays(
            pa.array(np.ascontiguousarray(value).ravel()), value.shape[1]
        )
    if isinstance(value, IdBags):
        return pa.ListArray.from_arrays(pa.array(value.offsets.astype(np.int32)), pa.array(value.values))
    if isinstance(value, list):
        if all(isinstance(entry, str) for entry in value):
            return pa.array(value, type=pa.string())
        return pa.array(value, type=pa.list_(pa.float32()))
    fields = _fields_of(value)
    return pa.StructArray.from_arrays([to_arrow(column) for column in fields.values()], names=list(fields))


def from_arrow(column: pa.Array | pa.ChunkedArray) -> Any:
    """Return what `to_arrow` took, structs as dictionaries; a field whose every row is null is left out."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
        if isinstance(column, pa.ChunkedArray):  # without rows there is no chunk
            column = pa.array([], type=column.type)
    kind = column.type
    if pa.types.is_struct(kind):
        return {
            field.name: from_arrow(child)
            for field, child in zip(kind, column.flatten(), strict=True)
            if len(child) == 0 or child.null_count < len(child)
        }
    if pa.types.is_fixed_size_list(kind):
        return _numpy(column.flatten()).reshape(len(column), kind.list_size)
    if pa.types.is_list(kind):
        return _lists(column)
    if pa.types.is_string(kind) or pa.types.is_dictionary(kind):
        return column.to_pylist()
    return _numpy(column)


def spread(column: pa.Array, places: IntArray) -> pa.Array:
    """Return the rows at `places`, int64 [n]; null where that is -1."""
    return column.take(pa.array(places, mask=places < 0))


def _fields_of(value: Any) -> dict[str, Any]:
    if dataclasses.is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if not isinstance(value, Mapping):
        raise TypeError(f"{type(value).__name__} is no column")
    return {name: column for name, column in value.items() if column is not None}


def _lists(column: pa.ListArray) -> IdBags | list[AnyArray]:
    values = _numpy(column.flatten())
    offsets = np.zeros(len(column) + 1, dtype=np.int64)
    np.cumsum(column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False), out=offsets[1:])
    if values.dtype == np.uint64:
        return IdBags(values, offsets)
    return [values[start:end] for start, end in itertools.pairwise(offsets)]


def _numpy(column: pa.Array) -> AnyArray:
    array: AnyArray = column.to_numpy(zero_copy_only=False)
    return array
