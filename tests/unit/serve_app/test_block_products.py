"""Products by whole numbers: sums without rounding, of as many dimensions as there are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit
from numba.core.errors import TypingError

from messages.arrays import AnyArray, FloatArray
from serve_app.block_products import LANES, LARGEST_CODE, block_products, in_pairs, lowest_bit


@njit
def multiplied(codes, block, scales, pairs, least, products):
    return block_products(codes, block, scales, pairs, least, products)


@njit
def lowest(word):
    return lowest_bit(word)


def of(codes: AnyArray, block: int, scales: FloatArray, query: FloatArray, least: float):
    """Return products, and which are told to be higher than `least`. codes: int8 [blocks, LANES, d]."""
    num_blocks, _, dimension = codes.shape
    padded = np.zeros((num_blocks, LANES, dimension + dimension % 2), dtype=np.int8)
    padded[:, :, :dimension] = codes
    in_blocks = np.ascontiguousarray(padded.reshape(num_blocks, LANES, -1, 2).swapaxes(1, 2))
    pairs, products = np.zeros(padded.shape[2], dtype=np.int16), np.empty(LANES, dtype=np.float32)
    worth = in_pairs(query, pairs)
    bits = int(multiplied(in_blocks, block, scales, pairs, np.float32(least / worth), products))
    return products * worth, [lane for lane in range(LANES) if bits >> lane & 1]


@given(st.integers(1, 70), st.integers(0, 2), st.integers(0, 2**32 - 1))
def test_the_products_of_a_block_are_those_of_its_vectors_and_what_is_higher_is_told(
    dimension, block, seed
) -> None:
    draws = np.random.default_rng(seed)
    codes = draws.integers(-LARGEST_CODE, LARGEST_CODE, (3, LANES, dimension), np.int8, endpoint=True)
    scales = draws.uniform(0.1, 2, (3, LANES)).astype(np.float32)
    query = draws.normal(size=dimension).astype(np.float32)
    expected = codes[block].astype(np.float64) @ query * scales[block]

    products, higher = of(codes, block, scales, query, float(np.median(expected)))

    rounded = np.abs(query).max() / 65_534 * np.abs(codes[block].astype(float)).sum(axis=1) * scales[block]
    assert (np.abs(products - expected) <= rounded + 1e-4 * np.abs(expected) + 1e-4).all()
    clear = np.abs(expected - np.median(expected)) > 2 * rounded + 1e-3
    expected_higher = np.flatnonzero(clear & (expected > np.median(expected)))
    assert set(expected_higher) <= set(higher)
    assert not set(higher) & set(np.flatnonzero(clear & (expected < np.median(expected))))


@pytest.mark.parametrize("dimension", [2, 516, 517, 2_000])
def test_the_largest_numbers_of_any_dimension_leave_room_in_their_sums(dimension) -> None:
    codes = np.full((1, LANES, dimension), LARGEST_CODE, dtype=np.int8)
    query = np.full(dimension, 3.0, dtype=np.float32)

    products, _ = of(codes, 0, np.ones((1, LANES), dtype=np.float32), query, 0.0)

    np.testing.assert_allclose(products, LARGEST_CODE * 3.0 * dimension, rtol=1e-4)


def test_a_vector_whose_scale_is_no_number_is_higher_than_nothing() -> None:
    scales = np.ones((1, LANES), dtype=np.float32)
    scales[0, 5] = np.nan

    _, higher = of(np.ones((1, LANES, 4), dtype=np.int8), 0, scales, np.ones(4, dtype=np.float32), -np.inf)

    assert higher == [lane for lane in range(LANES) if lane != 5]


def test_a_query_of_zeros_is_worth_nothing_and_one_with_a_number_that_is_none_says_so() -> None:
    pairs = np.zeros(4, dtype=np.int16)

    assert in_pairs(np.zeros(4, dtype=np.float32), pairs) == 0
    for number in (np.nan, np.inf, -np.inf):
        assert np.isnan(in_pairs(np.array([1, number, 0, 1], dtype=np.float32), pairs))
    assert not pairs.any()


@given(st.integers(1, 2**64 - 1))
def test_the_lowest_bit_of_a_word_is_found(word) -> None:
    assert lowest(np.uint64(word)) == (word & -word).bit_length() - 1


def test_arrays_of_other_kinds_are_refused_when_it_is_compiled() -> None:
    scales, products = np.ones((1, LANES), dtype=np.float32), np.empty(LANES, dtype=np.float32)
    codes = np.ones((1, 2, LANES, 2), dtype=np.int16)

    with pytest.raises(TypingError, match="C-contiguous int8"):
        multiplied(codes, 0, scales, np.zeros(4, dtype=np.int16), np.float32(0), products)
