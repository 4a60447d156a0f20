"""The index answers as an exact search over the vectors that are in it at the moment."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from serve_app.content_index import ContentIndex

NONE = np.empty(0, dtype=np.int64)


def rows_of(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int64)


def vectors_of(*vectors: list[float]) -> np.ndarray:
    return np.array(vectors, dtype=np.float32)


def test_an_empty_index_finds_nothing() -> None:
    rows, _ = ContentIndex(2).search(vectors_of([1, 0]), 3, NONE)

    assert rows.tolist() == [[-1, -1, -1]]


def test_the_nearest_come_first_and_a_short_answer_is_filled_up() -> None:
    index = ContentIndex(2)
    index.put(rows_of(0, 1), vectors_of([1, 0], [3, 0]))

    rows, products = index.search(vectors_of([1, 0]), 3, NONE)

    assert rows.tolist() == [[1, 0, -1]]
    assert products[0, :2].tolist() == [3, 1]


def test_an_update_in_place_is_found_by_the_next_search() -> None:
    index = ContentIndex(2)
    index.put(rows_of(0, 1), vectors_of([1, 0], [3, 0]))

    index.put(rows_of(0), vectors_of([9, 0]))

    assert index.search(vectors_of([1, 0]), 1, NONE)[0].tolist() == [[0]]
    assert len(index) == 2


def test_excluded_rows_make_room_for_the_next_best() -> None:
    index = ContentIndex(2)
    index.put(rows_of(0, 1, 2), vectors_of([1, 0], [3, 0], [2, 0]))

    rows, _ = index.search(vectors_of([1, 0]), 2, rows_of(1, 99))

    assert rows.tolist() == [[2, 0]]
    assert index.search(vectors_of([1, 0]), 1, NONE)[0].tolist() == [[1]]  # nothing is left behind


Change = tuple[str, int, int]


@given(
    st.lists(
        st.tuples(st.sampled_from(["put", "remove"]), st.integers(0, 40), st.integers(-50, 50)), max_size=60
    ),
    st.sets(st.integers(0, 50), max_size=10),
)
def test_any_history_of_changes_leaves_an_exact_index(changes: list[Change], excluded: set[int]) -> None:
    index, expected = ContentIndex(2), {}
    for kind, row, value in changes:
        if kind == "put":
            index.put(rows_of(row), vectors_of([value, 1]))
            expected[row] = value
        elif row in expected:
            index.remove(rows_of(row))
            del expected[row]

    rows, products = index.search(vectors_of([1, 0]), 60, rows_of(*excluded))

    found = dict(zip(rows[0].tolist(), products[0].tolist(), strict=True))
    found.pop(-1, None)
    assert found == {row: value for row, value in expected.items() if row not in excluded}
    assert products[0, : len(found)].tolist() == sorted(found.values(), reverse=True)
    assert len(index) == len(expected)
