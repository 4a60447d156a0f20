"""The top stays what sorting everything would give, however keys rise and fall."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from serve_app.top_rows import TopRows

Batch = dict[int, float]


@given(
    st.lists(
        st.dictionaries(st.integers(0, 30), st.one_of(st.integers(-20, 20), st.just(-np.inf)), max_size=8),
        max_size=12,
    ),
    st.booleans(),
)
def test_the_top_is_that_of_all_keys(batches: list[Batch], asks_between: bool) -> None:
    top, keys = TopRows(capacity=5), {}
    for batch in batches:
        rows = np.array(list(batch), dtype=np.int64)
        top.put(rows, np.array(list(batch.values()), dtype=np.float64))
        keys |= batch
        if asks_between:
            top.top(5)

    present = {row: key for row, key in keys.items() if key > -np.inf}
    best = sorted(present.values(), reverse=True)[:5]
    found = top.top(5).tolist()
    assert [keys[row] for row in found] == best
    assert len(set(found)) == len(found)


def test_a_removed_row_makes_room_for_one_that_was_left_out() -> None:
    top = TopRows(capacity=2)
    top.put(np.arange(4), np.array([4.0, 3.0, 2.0, 1.0]))

    top.remove(np.array([0]))

    assert top.top(2).tolist() == [1, 2]


def test_what_nobody_asks_for_is_kept_all_the_same() -> None:
    top = TopRows(capacity=3)
    draws = np.random.default_rng(0)
    keys = np.full(300, -np.inf)
    for _ in range(200):
        rows = np.unique(draws.integers(300, size=7))
        keys[rows] = draws.permutation(1_000)[: len(rows)] + draws.random(len(rows))
        top.put(rows, keys[rows])

    assert top.top(3).tolist() == np.argsort(-keys)[:3].tolist()


def test_of_equal_keys_the_lower_row_number_comes_first() -> None:
    top = TopRows(capacity=3)
    top.put(np.array([4, 2, 3, 1]), np.ones(4))

    top.remove(np.array([1]))

    assert top.top(3).tolist() == [2, 3, 4]
