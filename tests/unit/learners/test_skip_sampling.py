"""Fewer skips, the same probabilities."""

import numpy as np
import pytest

from learners.online_scaling import MOMENTS
from learners.skip_sampling import is_skip, sample_skips
from learners.training_settings import TrainingSettings
from learners.training_step import TrainingStep
from messages.examples import HEAD_INDEX, ExampleBatch, LabelKind
from tests.training_batches import DENSE, MODEL, batch_of, rows_of, with_labels

ENGAGE, LONG_VIEW = HEAD_INDEX["engage"], HEAD_INDEX["long_view"]


def logged(num_rows: int, seed: int = 0) -> ExampleBatch:
    """One person and one content again and again: 20% engage, a quarter of those to the end."""
    draws = np.random.default_rng(seed)
    engaged = draws.random(num_rows) < 0.2
    batch = ExampleBatch.concatenate([batch_of([(0, 1)] * 10, [True] * 10)] * (num_rows // 10))
    assert batch.joined is not None
    labels = batch.joined.labels.copy()
    labels[:, :3] = np.where(engaged, LabelKind.OBSERVED_POSITIVE, LabelKind.OBSERVED_NEGATIVE)[:, None]
    long_view = engaged & (draws.random(num_rows) < 0.25)
    labels[:, LONG_VIEW] = np.where(long_view, LabelKind.OBSERVED_POSITIVE, LabelKind.OBSERVED_NEGATIVE)
    batch = with_labels(batch, labels)
    assert batch.joined is not None
    batch.joined.request_keys[:] = np.arange(1, num_rows + 1)
    return batch


def learned_probabilities(batch: ExampleBatch, keep_rate: float) -> np.ndarray:
    """Descend to the optimum of the wide part's biases alone, which is where the base rates are learned."""
    step = TrainingStep(TrainingSettings(model=MODEL, skip_keep_rate=keep_rate, dense_gradient_clip=1e3))
    request = step.pull_request(batch, "m")
    values = {slot: np.zeros_like(rows_of(slot, ids)) for slot, ids in request.ids.items()}
    dense = {name: weight * np.float32(name == "first.bias") for name, weight in DENSE.items()}
    del dense[MOMENTS]
    for _ in range(25):
        result = step.run(batch, values, dense, None)
        dense["first.bias"] = dense["first.bias"] - 4 * result.dense["first.bias"]
    return result.probabilities[0]


def test_a_keep_rate_of_one_keeps_the_batch_itself() -> None:
    batch = logged(10)
    assert sample_skips(batch, 1.0) is batch


def test_a_share_of_the_skips_is_kept_and_everything_else() -> None:
    batch = logged(2_000)
    sampled = sample_skips(batch, 0.25)
    assert batch.joined is not None
    assert sampled.joined is not None
    skips, kept = is_skip(batch.joined.labels), is_skip(sampled.joined.labels)
    assert (~kept).sum() == (~skips).sum()
    assert kept.sum() == pytest.approx(0.25 * skips.sum(), rel=0.1)
    assert len(sampled) == len(batch)
    np.testing.assert_array_equal(sampled.joined.labels, batch.joined.labels[sampled.joined.rows])


def test_a_batch_read_again_and_cut_otherwise_keeps_the_same_rows() -> None:
    batch = logged(50)
    together = sample_skips(ExampleBatch.concatenate([batch, batch]), 0.3)
    alone = sample_skips(batch, 0.3)
    assert together.joined is not None
    assert alone.joined is not None
    assert together.joined.request_keys.tolist() == alone.joined.request_keys.tolist() * 2


def test_where_no_row_is_left_nothing_is_joined() -> None:
    batch = batch_of([(0, 1)], [False])
    assert sample_skips(batch, 1e-12).joined is None


@pytest.mark.parametrize("keep_rate", [1.0, 0.5, 0.2])
def test_probabilities_stay_calibrated_for_every_head(keep_rate: float) -> None:
    batch = logged(1_500)
    assert batch.joined is not None
    sampled = sample_skips(batch, keep_rate)
    predicted = learned_probabilities(sampled, keep_rate)
    observed = (batch.joined.labels == LabelKind.OBSERVED_POSITIVE).mean(axis=0)
    assert predicted[ENGAGE] == pytest.approx(observed[ENGAGE], rel=0.1)
    assert predicted[LONG_VIEW] == pytest.approx(observed[LONG_VIEW], rel=0.1)


def test_without_the_correction_they_would_not_be() -> None:
    sampled = sample_skips(logged(1_500), 0.2)
    assert learned_probabilities(sampled, 1.0)[ENGAGE] > 0.4
