"""People and contents that go together begin together."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from learners.features.schema import CONTENT_SLOT, RETRIEVAL_SLOT, USER_SLOT
from learners.ranking_model import slot_dimensions
from simulations.batch_learner import BatchLearner
from simulations.initial_embeddings import InitialMethod, co_occurrences, initial_rows_of, places
from tests.training_batches import MODEL, SETTINGS, batch_of

METHODS: tuple[InitialMethod, ...] = ("factorization", "deepwalk")


def two_circles(size: int = 12) -> sparse.csr_matrix:
    """Engagements of two groups of people, each with contents of its own, and a content that all like."""
    draws = np.random.default_rng(0)
    likes = np.zeros((2 * size, 2 * size + 1))
    likes[:size, :size] = draws.random((size, size)) < 0.6
    likes[size:, size : 2 * size] = draws.random((size, size)) < 0.6
    likes[:, -1] = 1
    return sparse.csr_matrix(likes)


@pytest.mark.parametrize("method", METHODS)
def test_the_likes_of_one_group_lie_nearer_than_those_of_the_other(method: InitialMethod) -> None:
    people, contents = places(two_circles(), method, 4)
    products = people @ contents[:-1].T
    own = np.concatenate([products[:12, :12].ravel(), products[12:, 12:].ravel()])
    other = np.concatenate([products[:12, 12:].ravel(), products[12:, :12].ravel()])
    assert own.mean() > other.mean() + 0.2
    assert np.mean(own[:, None] > other[None, :]) > 0.9


@pytest.mark.parametrize("method", METHODS)
def test_rows_have_the_width_of_their_slots_and_are_a_function_of_the_seed(method: InitialMethod) -> None:
    batch = batch_of([(user, (user * 3) % 7) for user in range(30)], [True] * 30)
    births = initial_rows_of([batch], method, MODEL)
    again = initial_rows_of([batch], method, MODEL)
    for slot in (USER_SLOT, CONTENT_SLOT, RETRIEVAL_SLOT):
        assert births[slot].values.shape == (len(births[slot].ids), slot_dimensions(MODEL)[slot])
        assert (births[slot].values[:, -1] == 0).all()
        assert births[slot].values == pytest.approx(again[slot].values, abs=1e-5)
        assert np.isfinite(births[slot].values).all()
    learner = BatchLearner(SETTINGS)
    learner.give_birth(births)
    assert learner.num_table_rows()[USER_SLOT] == 30


def test_without_engagement_nothing_is_born() -> None:
    assert initial_rows_of([batch_of([(1, 1), (2, 2)], [False, False])], "deepwalk", MODEL) == {}
    assert initial_rows_of([], "factorization", MODEL) == {}


def test_a_walk_only_takes_steps_that_are_there() -> None:
    together = co_occurrences(two_circles()[:, :-1], np.random.default_rng(1)).toarray()
    first = np.r_[0:12, 24:36]
    second = np.r_[12:24, 36:48]
    assert together[np.ix_(first, first)].sum() > 0
    assert together[np.ix_(first, second)].sum() == 0
