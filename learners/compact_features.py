"""The features of one small slate in few bytes, and quickly: a person's join state holds many of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from messages.arrays import AnyArray, FloatArray
from messages.codec import MalformedMessageError, pack, unpack
from messages.features import FeatureBatch, IdBags


def pack_features(features: FeatureBatch) -> bytes:
    """Encode features; ten times as fast as one extension value for each of the twenty small arrays."""
    return pack(
        [
            len(features),
            list(features.ids),
            b"".join([_bytes_of(keys, "<u8") for keys in features.ids.values()]),
            [
                [name, _bytes_of(bags.values, "<u8"), _bytes_of(bags.offsets, "<i8")]
                for name, bags in features.bags.items()
            ],
            _bytes_of(features.dense, "<f4"),
            None if features.counters is None else _bytes_of(features.counters, "<f4"),
        ]
    )


def unpack_features(data: bytes) -> FeatureBatch:
    """Decode what `pack_features` made. Raises MalformedMessageError."""
    wire = unpack(data)
    try:
        num_rows, names, ids, bags, dense, counters = wire
        columns = np.frombuffer(ids, dtype=np.uint64).reshape(len(names), num_rows)
        return FeatureBatch(
            ids=dict(zip(names, columns, strict=True)),
            bags={
                name: IdBags.from_wire([np.frombuffer(values, np.uint64), np.frombuffer(offsets, np.int64)])
                for name, values, offsets in bags
            },
            dense=_block(dense, num_rows),
            counters=None if counters is None else _block(counters, num_rows),
        )
    except (TypeError, ValueError) as error:
        raise MalformedMessageError(f"not packed features: {error}") from error


def _bytes_of(array: AnyArray, dtype: str) -> bytes:
    return array.astype(dtype, copy=False).tobytes()


def _block(data: Any, num_rows: int) -> FloatArray:
    return np.frombuffer(data, dtype=np.float32).reshape(num_rows, -1 if num_rows else 0)
