import numpy as np
import pytest
from pydantic import ValidationError

from learners.features.schema import RETRIEVAL_SLOT
from learners.training_settings import TrainingSettings
from learners.training_step import TrainingStep
from messages.examples import HEAD_INDEX, HEADS, OUTPUTS, LabelKind
from messages.identifiers import keys_of
from tests.training_batches import DENSE, MODEL, batch_of, mixed_batch, rows_of, run, with_labels

ENGAGE, LIKE = HEAD_INDEX["engage"], HEAD_INDEX["like"]


def test_gradients_are_those_of_the_loss() -> None:
    """Against finite differences of the summed loss, for rows and, averaged, for dense weights."""
    settings = TrainingSettings(
        model=MODEL, retrieval_weight=0.3, row_gradient_clip=1e3, dense_gradient_clip=1e3
    )
    batch = mixed_batch(8)
    assert batch.joined is not None
    labels = np.where(batch.joined.labels == LabelKind.PROVISIONAL_NEGATIVE, 0, batch.joined.labels)
    batch = with_labels(batch, labels.astype(np.uint8))  # weights that do not depend on the prediction
    step = TrainingStep(settings)
    request = step.pull_request(batch, "m")
    values = {slot: rows_of(slot, ids) for slot, ids in request.ids.items()}
    dense = {name: weight + np.float32(0.01) for name, weight in DENSE.items()}
    result = step.run(batch, values, dense, None)
    h = np.float32(1e-2)
    for slot in ("user", "content", "category", "tag", RETRIEVAL_SLOT):
        at = (int(np.argmax(np.abs(result.rows[slot].gradients).sum(axis=1))), 0)
        moved = []
        for sign in (1, -1):
            shifted = {name: rows.copy() for name, rows in values.items()}
            shifted[slot][at] += sign * h
            moved.append(step.run(batch, shifted, dense, None).loss * 8)
        assert result.rows[slot].gradients[at] == pytest.approx(
            (moved[0] - moved[1]) / (2 * h), abs=2e-2, rel=5e-2
        )
    for name in ("first.own", "hidden1.weight", "output.weight", "tower.output"):
        at = tuple(int(i) for i in np.unravel_index(np.abs(result.dense[name]).argmax(), dense[name].shape))
        moved = []
        for sign in (1, -1):
            shifted = {key: weight.copy() for key, weight in dense.items()}
            shifted[name][at] += sign * h
            moved.append(step.run(batch, values, shifted, None).loss)
        assert result.dense[name][at] == pytest.approx((moved[0] - moved[1]) / (2 * h), abs=5e-3, rel=5e-2)


def test_row_gradients_do_not_depend_on_what_else_is_in_the_batch() -> None:
    settings = TrainingSettings(model=MODEL, retrieval_weight=0)
    alone = run(batch_of([(1, 99)], [True]), settings)
    beside = run(batch_of([(1, 99), *[(k, k % 5) for k in range(2, 30)]], [True] * 29), settings)
    key = keys_of(["c99"])[0]
    gradients = [
        r.rows["content"].gradients[np.searchsorted(r.rows["content"].ids, key)] for r in (alone, beside)
    ]
    np.testing.assert_allclose(gradients[0], gradients[1], atol=1e-6)


def test_dense_gradients_are_means_over_rows() -> None:
    settings = TrainingSettings(model=MODEL, retrieval_weight=0)
    once, twice = run(batch_of([(1, 2)], [True]), settings), run(batch_of([(1, 2)] * 2, [True] * 2), settings)
    for name in once.dense:
        np.testing.assert_allclose(once.dense[name], twice.dense[name], atol=1e-6)
    assert once.loss == pytest.approx(twice.loss)


def test_untrained_labels_teach_nothing() -> None:
    batch = mixed_batch()
    assert batch.joined is not None
    result = run(with_labels(batch, np.zeros_like(batch.joined.labels)))
    assert result.loss == 0
    assert not result.trained.any()
    assert all((rows.gradients == 0).all() for rows in result.rows.values())
    assert all((gradient == 0).all() for gradient in result.dense.values())


def test_a_late_like_trains_its_head_alone_and_as_a_one() -> None:
    batch = batch_of([(1, 2)], [True])
    labels = np.zeros((1, len(HEADS)), np.uint8)
    labels[0, LIKE] = LabelKind.LATE_POSITIVE
    result = run(with_labels(batch, labels))
    assert np.flatnonzero(result.trained[0]).tolist() == [LIKE]
    assert result.targets[0, LIKE]
    bias = result.dense["first.bias"][0, -len(OUTPUTS) :]
    assert bias[LIKE] < 0
    assert np.flatnonzero(bias).tolist() == [LIKE]


def test_a_head_without_weight_moves_nothing() -> None:
    settings = TrainingSettings(model=MODEL, head_weights={"engage": 1.0})
    bias = run(mixed_batch(), settings).dense["first.bias"][0, -len(OUTPUTS) :]
    assert np.flatnonzero(bias).tolist() == [ENGAGE]
    with pytest.raises(ValidationError, match="no such heads"):
        TrainingSettings(head_weights={"clicks": 1.0})


def test_retrieval_pulls_engaged_contents_to_who_engaged() -> None:
    settings = TrainingSettings(model=MODEL, head_weights={}, retrieval_weight=1)
    result = run(batch_of([(3, 20), (2, 21), (1, 22)], [True, True, False]), settings)
    rows = result.rows[RETRIEVAL_SLOT]
    touched = {int(key) for key, gradient in zip(rows.ids, rows.gradients, strict=True) if gradient.any()}
    engaged, other, skipped = keys_of(["c20", "c21", "c22"]).tolist()
    assert {engaged, other} <= touched
    assert skipped not in touched


def test_a_content_is_no_negative_to_itself() -> None:
    settings = TrainingSettings(model=MODEL, head_weights={}, retrieval_weight=1)
    assert run(batch_of([(3, 20), (2, 20)], [True, True]), settings).loss == pytest.approx(0, abs=1e-6)


def test_gradients_are_clipped_by_row_and_as_a_whole() -> None:
    settings = TrainingSettings(model=MODEL, row_gradient_clip=1e-3, dense_gradient_clip=1e-2)
    result = run(mixed_batch(), settings)
    for rows in result.rows.values():
        assert np.linalg.norm(rows.gradients, axis=1).max() <= 1e-3 * 1.0001
    total = np.sqrt(sum(float((gradient**2).sum()) for gradient in result.dense.values()))
    assert total == pytest.approx(1e-2, rel=1e-3)


def test_steps_teach_the_model_what_it_is_shown() -> None:
    """Plain gradient descent on one batch, in steps short enough to fall all the way: the loss falls and the
    engaged rows come out on top."""
    batch = mixed_batch(48)
    step = TrainingStep(TrainingSettings(model=MODEL, retrieval_weight=0))
    request = step.pull_request(batch, "m")
    values = {slot: rows_of(slot, ids) for slot, ids in request.ids.items()}
    dense = {name: weight.copy() for name, weight in DENSE.items()}
    first = step.run(batch, values, dense, None)
    for _ in range(60):
        result = step.run(batch, values, dense, None)
        for slot, rows in result.rows.items():
            values[slot] -= 0.02 * rows.gradients
        for name, gradient in result.dense.items():
            dense[name] -= 0.02 * gradient
    assert result.loss < first.loss / 2
    engaged = result.targets[:, ENGAGE]
    assert result.probabilities[engaged, ENGAGE].min() > result.probabilities[~engaged, ENGAGE].max()
