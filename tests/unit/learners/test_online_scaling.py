"""Scaling whose statistics follow the stream: formulas, order of rows, and one for training and serving."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.model_groups import model_plan
from learners.batch_updates import model_update
from learners.features.schema import DENSE_FEATURES
from learners.model_inputs import gather_inputs
from learners.online_scaling import (
    EXTREMES,
    MOMENTS,
    NUM_SCALED,
    batch_statistics,
    initial_statistics,
    min_max_scaling,
    scaling_of,
    z_score_scaling,
)
from learners.ranking_model import RankingModelSettings, initial_dense_weights, score
from learners.span_cutter import ExamplesMessage, MiniBatch
from learners.training_settings import TrainingSettings
from learners.training_step import TrainingStep
from messages.examples import HEADS
from messages.examples_header import ExamplesHeader
from messages.updates import PullRequest, Span
from parameter_server.dense_parameters import DenseParameters, DenseState
from parameter_server.routing import ShardRouter, assign_buckets
from parameter_server.settings import DenseSettings
from parameter_server.shard import ParameterShard
from tests.training_batches import LAYOUT, MODEL, Lookup, batch_of, mixed_batch, rows_of

SPLIT = len(DENSE_FEATURES)
SETTINGS = DenseSettings(sums=(MOMENTS,), maxima=(EXTREMES,))


def numbers(seed: int, n: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    spread = np.exp(generator.normal(size=NUM_SCALED))
    return (generator.normal(size=(n, NUM_SCALED)) * spread + generator.normal(size=NUM_SCALED)).astype("f4")


def kept(method: str, rows: np.ndarray, cuts: list[int]) -> dict[str, np.ndarray]:
    """The statistics as a shard holds them after these rows, pushed in batches cut at `cuts`."""
    parameters = DenseParameters(SETTINGS)
    for name, values in initial_statistics(method).items():
        parameters.put(name, DenseState.beginning(values), 0)
    for version, part in enumerate(np.split(rows, cuts), start=1):
        now = parameters.newer_than(-1)
        parameters.apply(batch_statistics(now, part[:, :SPLIT], part[:, SPLIT:]), version)
    return parameters.newer_than(-1)


@given(seed=st.integers(0, 2**32 - 1))
def test_a_z_score_is_the_distance_from_the_mean_in_double_deviations(seed: int) -> None:
    rows = numbers(seed, 400)
    scaling = z_score_scaling(kept("z_score", rows, [7, 99])[MOMENTS])
    padded = np.concatenate([rows.astype("f8"), np.repeat([[1.0], [-1.0]], 25, axis=0) * np.ones(NUM_SCALED)])
    expected = np.clip((rows - padded.mean(axis=0)) / (2 * padded.std(axis=0)), -2.5, 2.5)
    dense, counters = scaling.apply(rows[:, :SPLIT], rows[:, SPLIT:])
    np.testing.assert_allclose(np.concatenate([dense, counters], axis=1), expected, atol=1e-3)
    assert dense.dtype == counters.dtype == np.float32


@given(seed=st.integers(0, 2**32 - 1))
def test_min_max_maps_the_smallest_and_the_largest_to_the_ends(seed: int) -> None:
    rows = numbers(seed, 50)
    scaling = min_max_scaling(kept("min_max", rows, [20])[EXTREMES])
    dense, counters = scaling.apply(rows[:, :SPLIT], rows[:, SPLIT:])
    scaled = np.concatenate([dense, counters], axis=1)
    np.testing.assert_allclose(scaled.min(axis=0), -1, atol=1e-5)
    np.testing.assert_allclose(scaled.max(axis=0), 1, atol=1e-5)
    low, high = rows.min(axis=0), rows.max(axis=0)
    np.testing.assert_allclose(scaled, 2 * (rows - low) / (high - low) - 1, atol=1e-4)


@pytest.mark.parametrize("method", ["z_score", "min_max"])
def test_the_cuts_of_batches_make_no_difference(method: str) -> None:
    rows = numbers(3, 256)
    whole, cut = kept(method, rows, []), kept(method, rows, list(range(1, 256)))
    for name, values in whole.items():
        np.testing.assert_allclose(values, cut[name], rtol=1e-4, atol=1e-3)


def test_before_any_row_numbers_are_taken_as_they_are_meant() -> None:
    """Features are built around 0 and of size 1, which is what an empty stream says of them."""
    zeros, ones = np.zeros((1, SPLIT), "f4"), np.ones((1, NUM_SCALED - SPLIT), "f4")
    dense, counters = z_score_scaling(initial_statistics("z_score")[MOMENTS]).apply(zeros, ones)
    assert (dense == 0).all()
    np.testing.assert_allclose(counters, 0.5)
    dense, counters = min_max_scaling(initial_statistics("min_max")[EXTREMES]).apply(zeros, ones)
    assert not dense.any()
    assert not counters.any()


def test_a_number_that_never_differs_scales_to_nothing_large() -> None:
    rows = np.full((5_000, NUM_SCALED), 7, "f4")
    dense, _ = z_score_scaling(kept("z_score", rows, [])[MOMENTS]).apply(rows[:, :SPLIT], rows[:, SPLIT:])
    assert np.abs(dense).max() < 0.1
    dense, _ = min_max_scaling(kept("min_max", rows, [])[EXTREMES]).apply(rows[:, :SPLIT], rows[:, SPLIT:])
    assert not dense.any()


def test_outliers_are_bounded() -> None:
    moments = kept("z_score", numbers(1, 500), [])[MOMENTS]
    dense, counters = z_score_scaling(moments).apply(
        np.full((1, SPLIT), 1e9, "f4"), np.full((1, NUM_SCALED - SPLIT), -1e9, "f4")
    )
    assert dense.max() == 2.5
    assert counters.min() == -2.5


def test_sums_of_a_long_stream_stay_small_and_their_ratios_true() -> None:
    parameters = DenseParameters(SETTINGS)
    parameters.put(MOMENTS, DenseState.beginning(initial_statistics("z_score")[MOMENTS]), 0)
    batch = np.stack(
        [np.full(NUM_SCALED, 65_536), np.full(NUM_SCALED, 3 * 65_536), np.full(NUM_SCALED, 13 * 65_536)]
    )
    for version in range(1, 400):
        parameters.apply({MOMENTS: batch.astype("f4")}, version)
    moments = parameters.newer_than(-1)[MOMENTS]
    assert moments.max() < 1 << 21
    scaling = z_score_scaling(moments)
    assert scaling.shift[0] == pytest.approx(3, rel=1e-3)
    assert scaling.factor[0] == pytest.approx(0.25, rel=1e-3)


@pytest.mark.parametrize("method", ["z_score", "min_max", "none"])
def test_serving_scores_like_training_with_statistics_that_have_moved(method: str) -> None:
    model = MODEL.model_copy(update={"scaling": method})
    dense = initial_dense_weights(model)
    batch = mixed_batch()
    assert batch.joined is not None
    features = batch.joined.features
    assert features.counters is not None
    dense |= batch_statistics(dense, features.dense, features.counters)
    step = TrainingStep(TrainingSettings(model=model))
    values = {slot: rows_of(slot, ids) for slot, ids in step.pull_request(batch, "m").ids.items()}
    trained = step.run(batch, values, dense, None)
    served = score(dense, gather_inputs(features, Lookup(), LAYOUT, scaling_of(dense)))[:, : len(HEADS)]
    np.testing.assert_allclose(trained.probabilities, 1 / (1 + np.exp(-served)), atol=1e-5)
    assert set(trained.statistics) == set(initial_statistics(method))


def test_every_row_moves_the_statistics_of_the_shard_once_and_no_optimizer_does() -> None:
    settings = TrainingSettings(model=MODEL)
    plan = model_plan(settings, 1)
    shard = ParameterShard(0, np.arange(256), "birth")
    shard.create_group("m", plan.settings, plan.dense)
    router = ShardRouter(assign_buckets(1))
    step = TrainingStep(settings)
    batch = mixed_batch(24)
    message = ExamplesMessage(0, 1, ExamplesHeader("w", 1, 9.0, 0, 0), batch)
    mini_batch = MiniBatch([message], {0: Span(start=0, end=1, feed_position=1, watermark=9.0, examples=24)})

    def pulled(request: PullRequest):
        return router.merge_pull(request, {0: shard.pull(router.split_pull(request)[0])})

    request = step.pull_request(batch, "m")
    before = pulled(request)
    result = step.run(batch, before.values, before.dense, None)
    update = model_update("m", 1, mini_batch, batch, result)
    for _ in range(2):  # the second is a duplicate
        shard.apply_update(router.split_update(update)[0])
    after = pulled(request).dense[MOMENTS]
    assert (after[0] - before.dense[MOMENTS][0] == 24).all()
    assert batch.joined is not None
    exact = batch.joined.features.dense.astype("f8").sum(axis=0)
    np.testing.assert_allclose(after[1, : len(exact)], exact, rtol=1e-5, atol=1e-5)


def test_what_is_not_trained_moves_nothing() -> None:
    weights = initial_statistics("z_score")
    assert (
        batch_statistics(weights, np.empty((0, SPLIT), "f4"), np.empty((0, NUM_SCALED - SPLIT), "f4")) == {}
    )
    orphan = dataclasses.replace(batch_of([(1, 2)], [True]), joined=None)
    step = TrainingStep(TrainingSettings(model=MODEL))
    assert step.run(orphan, {}, initial_dense_weights(MODEL), None).statistics == {}


def test_a_model_that_scales_nothing_keeps_no_statistics() -> None:
    assert scaling_of(initial_dense_weights(RankingModelSettings(scaling="none"))) is None
