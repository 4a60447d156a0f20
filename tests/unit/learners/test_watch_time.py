"""The expected watch time: what rows teach it, and how its odds become seconds."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learners.training_settings import TrainingSettings
from learners.training_step import TrainingStep
from learners.watch_outcome import judged_watching
from learners.watch_time import (
    MAX_WATCH_SECONDS,
    UNIT_SECONDS,
    expected_seconds,
    watch_targets,
    watched_seconds,
)
from messages.examples import HEAD_INDEX, OUTPUTS, WATCH_TIME, ExampleBatch, LabelKind
from tests.training_batches import DENSE, MODEL, batch_of, rows_of, with_labels

ALONE = TrainingSettings(model=MODEL, head_weights={WATCH_TIME: 1.0}, retrieval_weight=0)


def watched(batch: ExampleBatch, seconds: list[float]) -> ExampleBatch:
    assert batch.joined is not None
    joined = dataclasses.replace(batch.joined, watch_seconds=np.array(seconds, dtype=np.float32))
    return dataclasses.replace(batch, joined=joined)


@given(st.lists(st.floats(0, 500), min_size=1, max_size=20))
def test_the_loss_is_least_where_the_odds_are_the_mean_time(times: list[float]) -> None:
    """The best constant logit is found by bisection of the gradient, which rises with the logit."""
    targets, weights = watch_targets(np.array(times, dtype=np.float32))
    low, high = -30.0, 30.0
    for _ in range(100):
        middle = (low + high) / 2
        slope = float(np.sum(weights.astype(np.float64) * (1 / (1 + np.exp(-middle)) - targets)))
        low, high = (low, middle) if slope > 0 else (middle, high)
    best = np.array([1 / (1 + np.exp(-low))])
    assert float(expected_seconds(best)[0]) == pytest.approx(np.mean(times), rel=1e-3, abs=1e-3)


@pytest.mark.parametrize(
    ("seconds", "share"), [(0.0, 0.0), (float(UNIT_SECONDS), 0.5), (600.0, 600 / 618), (9_000.0, 600 / 618)]
)
def test_a_time_is_taught_as_its_share_of_itself_and_a_unit_up_to_the_longest(
    seconds: float, share: float
) -> None:
    targets, weights = watch_targets(np.array([seconds], dtype=np.float32))
    assert targets[0] == pytest.approx(share)
    assert weights[0] == pytest.approx(1 / (1 - share), rel=1e-5)


def test_an_unknown_time_teaches_nothing() -> None:
    targets, weights = watch_targets(np.array([np.nan, 3.0], dtype=np.float32))
    assert weights[0] == 0
    assert np.isfinite(targets).all()


def test_seconds_never_pass_the_longest_watching() -> None:
    seconds = expected_seconds(np.array([0.0, 0.5, 1.0], dtype=np.float32))
    assert seconds.tolist() == pytest.approx([0, UNIT_SECONDS, MAX_WATCH_SECONDS], rel=1e-5)


def test_only_what_ends_a_watching_tells_of_its_time() -> None:
    batch = watched(batch_of([(1, 2), (1, 3)], [True, True]), [5.0, 7.0])
    assert batch.joined is not None
    labels = batch.joined.labels.copy()
    labels[1] = LabelKind.UNTRAINED
    labels[1, HEAD_INDEX["like"]] = LabelKind.LATE_POSITIVE
    joined = with_labels(batch, labels).joined
    assert joined is not None
    np.testing.assert_array_equal(watched_seconds(joined), np.array([5, np.nan], dtype=np.float32))


def test_its_gradient_is_that_of_its_loss() -> None:
    """Against finite differences, alone and with the times of a skip, a view and one that is not told."""
    batch = watched(batch_of([(1, 2), (2, 3), (3, 4)], [False, True, True]), [0.0, 40.0, np.nan])
    step = TrainingStep(ALONE)
    request = step.pull_request(batch, "m")
    values = {slot: rows_of(slot, ids) for slot, ids in request.ids.items()}
    dense = {name: weight + np.float32(0.01) for name, weight in DENSE.items()}
    result = step.run(batch, values, dense, None)
    h = np.float32(1e-2)
    for name in ("first.bias", "output.weight", "hidden1.weight"):
        at = tuple(int(i) for i in np.unravel_index(np.abs(result.dense[name]).argmax(), dense[name].shape))
        moved = []
        for sign in (1, -1):
            shifted = {key: weight.copy() for key, weight in dense.items()}
            shifted[name][at] += sign * h
            moved.append(step.run(batch, values, shifted, None).loss)
        assert result.dense[name][at] == pytest.approx((moved[0] - moved[1]) / (2 * h), abs=5e-3, rel=5e-2)


def test_it_moves_no_other_output() -> None:
    batch = watched(batch_of([(1, 2)], [True]), [40.0])
    step = TrainingStep(ALONE)
    values = {slot: rows_of(slot, ids) for slot, ids in step.pull_request(batch, "m").ids.items()}
    bias = step.run(batch, values, DENSE, None).dense["first.bias"][0, -len(OUTPUTS) :]
    assert np.flatnonzero(bias).tolist() == [OUTPUTS.index(WATCH_TIME)]


def test_steps_teach_it_the_seconds_that_were_watched() -> None:
    batch = watched(batch_of([(0, n) for n in range(8)], [True] * 8), [4.0 + 8 * (n % 2) for n in range(8)])
    step = TrainingStep(ALONE)
    values = {slot: rows_of(slot, ids) for slot, ids in step.pull_request(batch, "m").ids.items()}
    dense = {name: weight.copy() for name, weight in DENSE.items()}
    for _ in range(300):
        result = step.run(batch, values, dense, None)
        for slot, rows in result.rows.items():
            values[slot] -= 0.05 * rows.gradients
        for name, gradient in result.dense.items():
            dense[name] -= 0.1 * gradient
    np.testing.assert_allclose(result.expected_seconds, result.watched_seconds, rtol=0.1)


@pytest.mark.parametrize(
    ("event", "duration", "seconds"),
    [
        ({"event_type": "view", "watch_duration": 3.0}, 9.0, 3.0),
        ({"event_type": "skip", "watch_duration": 1.5}, 9.0, 1.5),
        ({"event_type": "skip"}, 9.0, 0.0),
        ({"event_type": "complete_view"}, 9.0, 9.0),
        ({"event_type": "complete_view"}, float("nan"), None),
        ({"event_type": "complete_view"}, 0.0, None),
    ],
)
def test_a_time_that_is_left_out_is_filled_in_where_it_can_be_told(
    event: dict[str, object], duration: float, seconds: float | None
) -> None:
    mended, outcome = judged_watching(event, duration)
    assert mended.get("watch_duration") == seconds
    assert outcome.engaged == (event["event_type"] != "skip")
