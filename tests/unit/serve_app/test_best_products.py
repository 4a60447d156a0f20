"""What counting finds is what sorting would find, whatever the products are like."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.best_products import cut_down, keep_best, put_best_first

Products = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=60)


@settings(deadline=None)
@given(Products, st.data())
def test_the_best_are_kept_with_their_rows_and_at_most_as_many_others(drawn, data) -> None:
    count = data.draw(st.integers(1, len(drawn)))
    rows, products = np.arange(len(drawn) + 3), np.array([*drawn, 9e9, 9e9, 9e9], dtype=np.float32)
    before = products.copy()

    kept, lowest = cut_down(rows, products, len(drawn), count)

    assert count <= kept <= 2 * count
    assert len(set(rows[:kept].tolist())) == kept
    assert products[:kept].tolist() == before[rows[:kept]].tolist()
    assert lowest == products[:kept].min()
    left_out = np.setdiff1d(np.arange(len(drawn)), rows[:kept])
    assert not len(left_out) or before[left_out].max() <= lowest


@pytest.mark.parametrize(
    "products",
    [[1.0] * 40, [0.0] * 39 + [1e30], [np.inf] * 3 + [1.0, 2.0] * 20, [-3e38, 3e38, *range(40)]],
    ids=["all equal", "one far above", "some without bound", "wider than a number can be"],
)
def test_products_that_no_equal_steps_tell_apart_are_cut_down_all_the_same(products) -> None:
    values = np.array(products, dtype=np.float32)

    kept, lowest = cut_down(np.arange(len(values)), values, len(values), 5)

    assert 5 <= kept <= 10
    assert lowest >= np.sort(np.array(products, dtype=np.float32))[-10]


@settings(deadline=None)
@given(Products, st.data())
def test_a_selection_of_exactly_so_many_holds_the_highest(drawn, data) -> None:
    count = data.draw(st.integers(1, len(drawn)))
    rows, products = np.arange(len(drawn)), np.array(drawn, dtype=np.float32)

    keep_best(rows, products, len(drawn), count)

    assert sorted(np.array(drawn, dtype=np.float32)[rows[:count]]) == sorted(products[:count])
    assert sorted(products[:count]) == sorted(np.array(drawn, dtype=np.float32))[-count:]


@settings(deadline=None)
@given(st.lists(st.integers(0, 49), max_size=40, unique=True), st.integers(1, 9), st.integers(0, 99))
def test_found_rows_are_ranked_by_exact_products(found, dimension, seed) -> None:
    generator = np.random.default_rng(seed)
    vectors = generator.normal(size=(50, dimension)).astype(np.float32)
    query = generator.normal(size=dimension).astype(np.float32)
    rows, products = np.empty(len(found), dtype=np.int64), np.empty(len(found), dtype=np.float32)

    put_best_first(vectors, np.array(found, dtype=np.int64), query, rows, products)

    assert sorted(rows.tolist()) == sorted(found)
    assert (products[:-1] >= products[1:]).all()
    np.testing.assert_allclose(products, vectors[rows] @ query, rtol=1e-5, atol=1e-5)
