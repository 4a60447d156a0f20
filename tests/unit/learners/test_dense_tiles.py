"""Products by tiles are numpy's products, and a row's do not depend on the rows beside it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba.core.errors import TypingError

from learners.dense_tiles import PANEL, add_products, aligned, in_panels, padded_width
from messages.arrays import FloatArray

SIZES = st.integers(1, 40)


def drawn(seed: int, *shape: int) -> FloatArray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@given(
    rows=SIZES,
    depth=SIZES,
    more=st.integers(0, 3),
    columns=SIZES,
    rectified=st.integers(0, 3),
    sparse=st.booleans(),
)
def test_products_are_added_and_the_first_panels_rectified(
    rows: int, depth: int, more: int, columns: int, rectified: int, sparse: bool
) -> None:
    inputs, weight = drawn(1, rows, depth + more), drawn(2, depth, columns)
    sums = drawn(3, rows, padded_width(columns))
    sums[:, columns:] = 0
    expected = sums[:, :columns] + inputs[:, :depth].astype(np.float64) @ weight
    kept = expected[:, : rectified * PANEL]
    np.maximum(kept, 0, out=kept)

    add_products(inputs, in_panels(weight), sums, rectified, sparse)

    np.testing.assert_allclose(sums[:, :columns], expected, rtol=1e-5, atol=1e-5)
    assert not sums[:, columns:].any()


@given(rows=SIZES, chosen=st.integers(0, 39))
def test_the_sums_of_a_row_are_the_same_alone(rows: int, chosen: int) -> None:
    inputs, panels, row = drawn(1, rows, 7), in_panels(drawn(2, 7, 20)), chosen % rows
    together, alone = np.zeros((rows, 32), np.float32), np.zeros((1, 32), np.float32)

    add_products(inputs, panels, together, 0, False)
    add_products(inputs[row : row + 1], panels, alone, 0, False)

    assert together[row].tolist() == alone[0].tolist()


@given(rows=SIZES, depth=SIZES, kept=st.integers(0, 2**40))
def test_numbers_that_are_zero_in_all_rows_change_nothing(rows: int, depth: int, kept: int) -> None:
    inputs, panels = drawn(1, rows, depth), in_panels(drawn(2, depth, 20))
    inputs[:, [place for place in range(depth) if not kept >> place & 1]] = 0
    whole, sparse = drawn(3, rows, 32), drawn(3, rows, 32)

    add_products(inputs, panels, whole, 1, False)
    add_products(inputs, panels, sparse, 1, True)

    assert sparse.tolist() == whole.tolist()


@pytest.mark.parametrize("sparse", [False, True])
def test_a_number_that_is_none_stays_one_in_its_row_alone(sparse: bool) -> None:
    inputs, sums = drawn(1, 8, 3), np.zeros((8, PANEL), np.float32)
    inputs[5, 1] = np.nan

    add_products(inputs, in_panels(drawn(2, 3, PANEL)), sums, 1, sparse)

    assert np.isnan(sums[5]).all()
    assert np.isfinite(np.delete(sums, 5, axis=0)).all()


def test_numbers_of_another_precision_are_refused() -> None:
    with pytest.raises(TypingError, match="float32"):
        add_products(np.ones((2, 3)), in_panels(drawn(1, 3, 3)), np.zeros((2, PANEL), np.float32), 0, False)


def test_weights_begin_on_a_cache_line() -> None:
    assert [in_panels(drawn(1, depth, 20)).ctypes.data % 64 for depth in range(1, 9)] == [0] * 8
    assert aligned((3, 2)).flags.c_contiguous
