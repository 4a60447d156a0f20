"""Lists of codes: whatever came, moved and went, a scan finds what lies in them, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.block_products import LANES
from serve_app.list_blocks import scan_lists
from serve_app.quantized_lists import QuantizedLists

NOTHING = np.empty(0, dtype=np.int64)
NUM_LISTS, DIMENSION = 3, 5

Changes = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "remove", "tidy"]),
        st.sets(st.integers(0, 400), min_size=1, max_size=200),
        st.integers(0, 2**32 - 1),
    ),
    max_size=12,
)


def numbers(*rows: int) -> np.ndarray:
    return np.array(rows, dtype=np.int64)


def scanned(
    lists: QuantizedLists, query: np.ndarray, chosen: list[int], count: int, left_out=NOTHING
) -> dict:
    rows = np.empty(3 * count + LANES, dtype=np.int64)
    products = np.empty(len(rows), dtype=np.float32)
    num_found = scan_lists(query, numbers(*chosen), count, left_out, lists.blocks, rows, products)
    rows, products = rows[:num_found], products[:num_found]
    assert len(set(rows.tolist())) == len(rows)
    return dict(zip(rows.tolist(), products.tolist(), strict=True))


@settings(deadline=None)
@given(Changes)
def test_any_history_of_changes_leaves_each_row_in_the_list_it_was_put_in_last(changes) -> None:
    lists, expected = QuantizedLists(NUM_LISTS, DIMENSION), {}
    for kind, some, seed in changes:
        draws = np.random.default_rng(seed)
        rows = numbers(*some)
        if kind == "put":
            chosen = draws.integers(NUM_LISTS, size=len(rows))
            vectors = draws.normal(size=(len(rows), DIMENSION)).astype(np.float32)
            lists.put(rows, chosen, vectors)
            expected |= zip(some, zip(chosen.tolist(), vectors, strict=True), strict=True)
        elif kind == "remove":
            lists.remove(rows)
            expected = {row: kept for row, kept in expected.items() if row not in some}
        else:
            lists.tidy()

    query = np.array([1, -2, 0.5, 0.25, -1], dtype=np.float32)
    assert len(lists) == len(expected)
    for one in range(NUM_LISTS):
        of_list = {row: vector for row, (chosen, vector) in expected.items() if chosen == one}
        products = scanned(lists, query, [one], 1_000)
        assert products.keys() == of_list.keys()
        for row, vector in of_list.items():
            rounded = float(np.abs(vector).max() / 127 / 2 * np.abs(query).sum())
            assert products[row] == pytest.approx(float(vector @ query), abs=rounded * 1.01 + 1e-6)


@pytest.fixture(scope="module")
def many() -> np.ndarray:
    return np.random.default_rng(3).normal(size=(5_000, 33)).astype(np.float32)


def filled(vectors: np.ndarray, num_lists: int = 7) -> QuantizedLists:
    lists = QuantizedLists(num_lists, vectors.shape[1])
    rows = np.arange(len(vectors))
    lists.put(rows, rows % num_lists, vectors)
    return lists


def test_a_scan_keeps_the_best_of_all_that_it_looks_through(many) -> None:
    query, lists = many[0] * 2, filled(many)

    products = scanned(lists, query, list(range(7)), 300)

    assert len(products) == 300
    best = np.argsort(-(many @ query))[:200].tolist()
    assert set(best) <= set(products)


def test_only_the_lists_that_are_named_are_looked_through(many) -> None:
    products = scanned(filled(many), many[0], [2, 5], 400)

    assert len(products) == 400
    assert {row % 7 for row in products} == {2, 5}


def test_what_is_left_out_is_not_found_and_takes_no_place(many) -> None:
    query, lists = many[0], filled(many)
    best = np.argsort(-(many @ query))

    products = scanned(lists, query, list(range(7)), 50, best[:100])

    assert len(products) == 50
    assert set(products) <= set(best[100:200].tolist())
    assert best[0] in scanned(lists, query, list(range(7)), 50)  # nothing is left behind


def test_rows_that_were_never_in_any_list_may_be_left_out(many) -> None:
    far = numbers(5_000, 10**9)

    assert len(scanned(filled(many), many[0], [1], 10, far)) == 10


def test_fewer_than_are_wanted_are_all_found() -> None:
    lists = filled(np.eye(6, dtype=np.float32), 2)

    assert len(scanned(lists, np.ones(6, dtype=np.float32), [0, 1], 50)) == 6
    assert scanned(QuantizedLists(2, 6), np.ones(6, dtype=np.float32), [0, 1], 50) == {}


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_a_vector_with_a_number_that_is_none_is_never_found_and_hides_no_other(number) -> None:
    vectors = np.ones((3, 4), dtype=np.float32)
    vectors[1, 2] = number
    lists = filled(vectors, 1)

    assert set(scanned(lists, np.ones(4, dtype=np.float32), [0], 10)) == {0, 2}
    lists.put(numbers(1), numbers(0), np.ones((1, 4), dtype=np.float32))
    assert set(scanned(lists, np.ones(4, dtype=np.float32), [0], 10)) == {0, 1, 2}


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_a_query_with_a_number_that_is_none_finds_nothing_and_leaves_nothing_behind(many, number) -> None:
    query, lists = many[0].copy(), filled(many)
    query[3] = number

    assert scanned(lists, query, [0, 1], 10, numbers(0, 1)) == {}
    assert len(scanned(lists, many[0], list(range(7)), 5_000)) == 5_000


def test_vectors_of_very_unlike_lengths_keep_their_order_each_by_a_scale_of_its_own() -> None:
    vectors = np.array([[1e-6, 0], [1e6, 0], [1, 0], [0, 0], [-1, 0]], dtype=np.float32)
    products = scanned(filled(vectors, 1), np.array([1, 0], dtype=np.float32), [0], 5)

    assert sorted(products, key=products.__getitem__, reverse=True) == [1, 2, 0, 3, 4]


def test_emptied_blocks_are_used_again(many) -> None:
    lists = filled(many)
    room = [column.values.shape for column in lists._columns]
    for _ in range(20):
        lists.remove(np.arange(len(many)))
        assert len(lists) == 0
        lists.put(np.arange(len(many)), np.arange(len(many)) % 3, many)

    assert [column.values.shape for column in lists._columns] == room
    assert len(lists) == len(many)


def test_removing_what_was_never_there_changes_nothing(many) -> None:
    lists = filled(many[:10], 1)
    lists.remove(numbers(10, 1_000_000))

    assert len(lists) == 10
