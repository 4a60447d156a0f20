"""msgpack with arrays: what goes in comes out, and nothing else gets in."""

from __future__ import annotations

from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from messages.codec import ARRAY_EXTENSION, MAX_MESSAGE_BYTES, MalformedMessageError, pack, unpack

DTYPES = ("uint8", "int8", "bool", "int16", "int32", "int64", "uint32", "uint64", "float32", "float64")


@given(
    st.sampled_from(DTYPES).flatmap(lambda d: arrays.arrays(d, arrays.array_shapes(min_dims=0, min_side=0)))
)
def test_an_array_survives_with_dtype_and_shape(array: np.ndarray[Any, Any]) -> None:
    read = unpack(pack({"a": array}))["a"]
    assert read.dtype == array.dtype
    assert read.shape == array.shape
    assert read.tobytes() == array.tobytes()


def test_numbers_of_numpy_become_plain_ones() -> None:
    assert unpack(pack([np.float32(0.5), np.int64(3), np.bool_(True)])) == [0.5, 3, True]


@pytest.mark.parametrize("value", [object(), {1, 2}, np.array(["text"]), np.array([object()])])
def test_what_has_no_place_on_the_wire_does_not_travel(value: object) -> None:
    with pytest.raises(TypeError, match=r"do(es)? not travel"):
        pack(value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        pack({"a": 1})[:-1],
        pack([1]) + b"\x00",
        msgpack.packb(msgpack.ExtType(5, b"x")),
        msgpack.packb(msgpack.ExtType(ARRAY_EXTENSION, b"")),
        msgpack.packb(msgpack.ExtType(ARRAY_EXTENSION, b"\x63\x01\x00\x00\x00\x00")),
        msgpack.packb(msgpack.ExtType(ARRAY_EXTENSION, b"\x00\x01\xff\xff\xff\xff")),
    ],
)
def test_broken_bytes_are_a_clear_error(data: bytes) -> None:
    with pytest.raises(MalformedMessageError):
        unpack(data)


def test_a_message_over_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(MalformedMessageError, match="over the limit"):
        unpack(bytes(MAX_MESSAGE_BYTES + 1))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_a_clear_error(data: bytes) -> None:
    try:
        unpack(data)
    except MalformedMessageError:
        return
