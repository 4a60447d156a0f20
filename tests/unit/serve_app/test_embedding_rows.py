"""A replica's rows, alone, side by side and as means: always the same rows."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from learners.model_inputs import mean_pooled
from messages.features import IdBags
from messages.updates import Rows
from parameter_server.initializers import initial_rows
from serve_app.embedding_rows import EmbeddingRows

STORED = np.arange(1, 20, dtype=np.uint64)


def filled() -> EmbeddingRows:
    rows = EmbeddingRows("tag", 3, 0.1)
    rows.put(Rows(STORED, np.random.default_rng(0).normal(size=(len(STORED), 3)).astype(np.float32)))
    return rows


@given(st.lists(st.integers(1, 40), max_size=20))
def test_rows_are_copied_into_their_columns_and_nowhere_else(ids: list[int]) -> None:
    rows, keys = filled(), np.array(ids, dtype=np.uint64)
    into = np.full((len(ids), 7), 9, dtype=np.float32)

    rows.copy(keys, into, 2)

    assert into[:, 2:5].tolist() == rows.read(keys).tolist()
    assert (into[:, [0, 1, 5, 6]] == 9).all()
    missing = ~np.isin(keys, STORED)
    assert into[missing, 2:5].tolist() == initial_rows(keys[missing], 3, 0.1, "tag").tolist()


@given(st.lists(st.lists(st.integers(1, 40), max_size=5), max_size=10))
def test_means_are_those_of_the_rows_and_zeros_for_an_empty_bag(bags: list[list[int]]) -> None:
    rows, packed = filled(), IdBags.of([np.array(bag, dtype=np.uint64) for bag in bags])
    into = np.full((len(bags), 4), 9, dtype=np.float32)

    rows.copy_means(packed, into, 1)

    np.testing.assert_allclose(into[:, 1:], mean_pooled(rows.read(packed.values), packed), atol=1e-6)
    assert (into[:, 0] == 9).all()
