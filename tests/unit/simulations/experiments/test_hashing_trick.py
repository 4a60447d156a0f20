"""Hashed ids share rows, and nothing else changes."""

from __future__ import annotations

import dataclasses

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from learners.features.schema import CATEGORY_SLOT, CONTENT_SLOT, RETRIEVAL_SLOT, USER_SLOT
from messages.identifiers import MISSING_KEY
from messages.updates import Rows
from simulations.batch_learner import BatchLearner
from simulations.experiments.hashing_trick import HashingTrick, distinct_ids
from tests.training_batches import SETTINGS, batch_of

BATCH = batch_of([(user, user % 7) for user in range(40)], [user % 2 == 0 for user in range(40)])


@given(
    ids=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=50, unique=True),
    size=st.integers(1, 30),
    salt=st.integers(0, 5),
)
def test_every_id_has_one_of_the_rows_and_the_missing_one_stays(ids: list[int], size: int, salt: int) -> None:
    keys = np.array(ids, dtype=np.uint64)
    rows = HashingTrick({USER_SLOT: size}, salt).ids(USER_SLOT, keys)
    known = keys != MISSING_KEY
    assert ((rows[known] >= 1) & (rows[known] <= size)).all()
    assert (rows[~known] == MISSING_KEY).all()
    assert (HashingTrick({USER_SLOT: size}, salt).ids(USER_SLOT, keys) == rows).all()


def test_a_content_has_the_same_row_in_its_table_and_in_that_of_retrieval() -> None:
    trick = HashingTrick({CONTENT_SLOT: 5})
    ids = np.arange(1, 50, dtype=np.uint64)
    assert (trick.ids(CONTENT_SLOT, ids) == trick.ids(RETRIEVAL_SLOT, ids)).all()


def test_only_rows_are_shared_not_what_is_counted_or_categories() -> None:
    mapped = HashingTrick({USER_SLOT: 3, CONTENT_SLOT: 2}).batch(BATCH)
    assert mapped.joined is not None
    assert BATCH.joined is not None
    assert set(mapped.joined.features.ids["user"]) <= {1, 2, 3}
    assert (mapped.joined.features.ids["category"] == BATCH.joined.features.ids["category"]).all()
    assert (mapped.content_keys == BATCH.content_keys).all()
    assert CATEGORY_SLOT not in distinct_ids([BATCH])


def test_a_hashed_table_has_no_more_rows_than_its_size() -> None:
    ids = distinct_ids([BATCH])
    learner = BatchLearner(SETTINGS, mapping=HashingTrick({USER_SLOT: 4, CONTENT_SLOT: 3}))
    plain = BatchLearner(SETTINGS)
    for _ in range(3):
        learner.learn(BATCH)
        plain.learn(BATCH)
    assert learner.num_table_rows()[USER_SLOT] <= 4
    assert learner.num_table_rows()[RETRIEVAL_SLOT] <= 3
    assert plain.num_table_rows()[USER_SLOT] == len(ids[USER_SLOT]) == 40


def test_of_births_that_share_a_row_one_is_born() -> None:
    ids = np.arange(1, 20, dtype=np.uint64)
    births = HashingTrick({CONTENT_SLOT: 2}).births({CONTENT_SLOT: Rows(ids, np.ones((19, 3), np.float32))})
    assert set(births[CONTENT_SLOT].ids) == {1, 2}
    assert births[CONTENT_SLOT].values.shape == (2, 3)


def test_a_large_table_collides_little_and_one_row_collides_all() -> None:
    ids = {USER_SLOT: np.arange(1, 1_001, dtype=np.uint64)}
    assert HashingTrick({USER_SLOT: 10**9}).collided_share(ids) < 0.01
    assert HashingTrick({USER_SLOT: 1}).collided_share(ids) == 1.0
    half = HashingTrick({USER_SLOT: 1_000}).collided_share(ids)
    assert abs(half - (1 - np.exp(-1))) < 0.06


def test_scoring_changes_nothing() -> None:
    learner = BatchLearner(SETTINGS)
    first = learner.score(BATCH)
    again = learner.score(dataclasses.replace(BATCH))
    assert (first.probabilities == again.probabilities).all()
    assert learner.num_table_rows()[USER_SLOT] == 0
