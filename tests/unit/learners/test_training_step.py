import dataclasses

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from learners.content_births import birth_rows
from learners.features.assembly import assemble
from learners.features.counter_features import counter_features
from learners.features.schema import RETRIEVAL_SLOT
from learners.model_inputs import gather_inputs
from learners.ranking_model import RankingModelSettings, initial_dense_weights, input_layout, score
from learners.training_plan import plan_rows
from learners.training_settings import TrainingSettings
from learners.training_step import NonFiniteLossError, StepResult, TrainingStep
from learners.user_state import UserState
from messages.arrays import FloatArray, IdArray
from messages.content import ContentColumns, ContentFacts, Uploads
from messages.events import EVENT_TYPE_CODES, ContentMetadata
from messages.examples import HEAD_INDEX, HEADS, ExampleBatch, JoinedExamples, LabelKind
from messages.features import FeatureBatch
from messages.identifiers import MISSING_KEY, keys_of, mix
from messages.impressions import RequestContext
from messages.updates import CounterRows

NOW = 1_650_000_000.0
MODEL = RankingModelSettings(hidden=(32, 16), retrieval_dimension=8, content_dimension=4)
SETTINGS = TrainingSettings(model=MODEL)
LAYOUT = input_layout(MODEL)
DENSE = initial_dense_weights(MODEL)
ENGAGE, LIKE = HEAD_INDEX["engage"], HEAD_INDEX["like"]


def rows_of(slot: str, ids: IdArray) -> FloatArray:
    columns = np.arange(1, LAYOUT.dimensions[slot] + 1, dtype=np.uint64)
    values = (mix(ids[:, None] + columns * np.uint64(7919)) >> np.uint64(40)).astype(np.float32)
    values = (values / np.float32(1 << 23) - 1) * np.float32(0.2)
    values[ids == MISSING_KEY] = 0
    return values


class Lookup:
    def rows(self, slot: str, ids: IdArray) -> FloatArray:
        return rows_of(slot, ids)


def content(number: int) -> ContentFacts:
    metadata = ContentMetadata(category=f"k{number % 3}", tags=(f"t{number % 5}",), duration=10.0)
    return ContentFacts(f"c{number}", f"a{number % 4}", NOW, metadata)


def features_of(user: int, number: int, counters: bool) -> FeatureBatch:
    state = UserState.empty(f"u{user}")
    for seen in range(user % 4):
        state.apply(
            {"event_type": "view", "content_id": f"c{seen + user}", "watch_duration": 3.0}, NOW - 9, None
        )
    contents = ContentColumns.of([content(number)])
    block = CounterRows.zeros(contents.content_keys) if counters else None
    return assemble(state, None, RequestContext(surface="home"), contents, NOW, block)


def batch_of(pairs: list[tuple[int, int]], engaged: list[bool], *, counters: bool = True) -> ExampleBatch:
    """One row per (user, content), a view where engaged, else a skip."""
    n = len(pairs)
    labels = np.full((n, len(HEADS)), LabelKind.PROVISIONAL_NEGATIVE, np.uint8)
    labels[:, :3] = np.where(engaged, LabelKind.OBSERVED_POSITIVE, LabelKind.OBSERVED_NEGATIVE)[:, None]
    names = [""] * n
    features = FeatureBatch.concatenate([features_of(user, number, counters) for user, number in pairs])
    joined = JoinedExamples(
        rows=np.arange(n), features=features, labels=labels, watch_seconds=np.zeros(n, np.float32),
        slate_positions=np.zeros(n, np.int64), propensities=np.ones(n, np.float32),
        served_scores=np.zeros(n, np.float32), request_keys=np.zeros(n, np.uint64),
        arms=names, model_ids=names, model_versions=names,
    )  # fmt: skip
    codes = [EVENT_TYPE_CODES["view" if yes else "skip"] for yes in engaged]
    return ExampleBatch(
        event_types=np.array(codes, np.uint8), times=np.full(n, NOW), user_keys=features.ids["user"],
        content_keys=features.ids["content"], creator_keys=features.ids["creator"],
        long_views=np.array(engaged), watch_seconds=np.zeros(n, np.float32), joined=joined, uploads=None,
    )  # fmt: skip


def mixed_batch(n: int = 24, *, counters: bool = True) -> ExampleBatch:
    return batch_of([(k % 7, k % 11) for k in range(n)], [k % 3 != 0 for k in range(n)], counters=counters)


def run(
    batch: ExampleBatch, settings: TrainingSettings = SETTINGS, dense: dict[str, FloatArray] = DENSE
) -> StepResult:
    step = TrainingStep(settings)
    request = step.pull_request(batch, "m")
    counters = None if request.counter_ids is None else CounterRows.zeros(request.counter_ids)
    return step.run(batch, {slot: rows_of(slot, ids) for slot, ids in request.ids.items()}, dense, counters)


def with_labels(batch: ExampleBatch, labels: np.ndarray) -> ExampleBatch:
    assert batch.joined is not None
    return dataclasses.replace(batch, joined=dataclasses.replace(batch.joined, labels=labels))


def test_a_pull_names_each_row_once_in_rising_order() -> None:
    batch = mixed_batch()
    request = TrainingStep(SETTINGS).pull_request(batch, "m")
    assert request.group == "m"
    assert request.ids.keys() == LAYOUT.dimensions.keys()
    for ids in request.ids.values():
        assert (np.diff(ids.astype(object)) > 0).all()
    assert set(keys_of(f"c{number}" for number in range(11))) <= set(request.ids["content"])
    np.testing.assert_array_equal(request.ids["content"], request.ids[RETRIEVAL_SLOT])
    assert request.dense_newer_than == -1


def test_counters_are_pulled_only_where_the_features_lack_them() -> None:
    step = TrainingStep(SETTINGS)
    assert step.pull_request(mixed_batch(), "m").counter_ids is None
    asked = step.pull_request(mixed_batch(counters=False), "m").counter_ids
    assert asked is not None
    np.testing.assert_array_equal(asked, np.unique(keys_of(f"c{number}" for number in range(11))))


def test_pulled_counters_stand_in_for_served_ones() -> None:
    np.testing.assert_allclose(
        run(mixed_batch()).probabilities, run(mixed_batch(counters=False)).probabilities, atol=1e-6
    )


def test_served_scores_equal_the_scores_of_training() -> None:
    batch = mixed_batch()
    assert batch.joined is not None
    logits = score(DENSE, gather_inputs(batch.joined.features, Lookup(), LAYOUT))
    np.testing.assert_allclose(run(batch).probabilities, 1 / (1 + np.exp(-logits)), atol=1e-5)


def test_one_request_is_served_as_it_is_trained() -> None:
    state = UserState.empty("u")
    contents = ContentColumns.of([content(number) for number in range(30)])
    served = assemble(
        state, None, RequestContext(surface="home"), contents, NOW, CounterRows.zeros(contents.content_keys)
    )
    batch = mixed_batch(30)
    assert batch.joined is not None
    logged = FeatureBatch.from_wire(served.to_wire())
    trained = run(dataclasses.replace(batch, joined=dataclasses.replace(batch.joined, features=logged)))
    logits = score(DENSE, gather_inputs(served, Lookup(), LAYOUT))
    np.testing.assert_allclose(trained.probabilities, 1 / (1 + np.exp(-logits)), atol=1e-5)


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
    for name in DENSE:
        np.testing.assert_allclose(once.dense[name], twice.dense[name], atol=1e-6)
    assert once.loss == pytest.approx(twice.loss)


def test_counts_say_how_often_a_row_occurs() -> None:
    result = run(batch_of([(0, 1), (0, 1), (0, 2)], [True, False, True]))
    counts = dict(
        zip(result.rows["content"].ids.tolist(), result.rows["content"].counts.tolist(), strict=True)
    )
    first, second = keys_of(["c1", "c2"]).tolist()
    assert (counts[first], counts[second]) == (2, 1)


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
    bias = result.dense["first.bias"][0, -len(HEADS) :]
    assert bias[LIKE] < 0
    assert np.flatnonzero(bias).tolist() == [LIKE]


def test_a_head_without_weight_moves_nothing() -> None:
    settings = TrainingSettings(model=MODEL, head_weights={"engage": 1.0})
    bias = run(mixed_batch(), settings).dense["first.bias"][0, -len(HEADS) :]
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


def test_a_batch_without_joined_rows_brings_births_only() -> None:
    uploads = Uploads.of([content(1), content(2)])
    batch = dataclasses.replace(ExampleBatch.empty(), uploads=uploads)
    step = TrainingStep(SETTINGS)
    assert step.pull_request(batch, "m").ids == {}
    result = step.run(batch, {}, DENSE, None)
    assert result.rows == {}
    assert result.dense == {}
    assert result.probabilities.shape == (0, len(HEADS))
    expected = birth_rows(uploads, MODEL)
    for slot, rows in result.births.items():
        np.testing.assert_array_equal(rows.values, expected[slot].values)


def test_orphans_beside_joined_rows_take_no_part() -> None:
    batch = mixed_batch(6)
    assert batch.joined is not None
    orphan = dataclasses.replace(mixed_batch(1), joined=None)
    together = ExampleBatch.concatenate([orphan, batch])
    np.testing.assert_array_equal(run(together).probabilities, run(batch).probabilities)


@pytest.mark.parametrize("where", ["dense", "rows"])
def test_a_loss_that_is_no_number_is_refused(where: str) -> None:
    batch = mixed_batch(4)
    step = TrainingStep(SETTINGS)
    request = step.pull_request(batch, "m")
    values = {slot: rows_of(slot, ids) for slot, ids in request.ids.items()}
    dense = {name: weight.copy() for name, weight in DENSE.items()}
    if where == "dense":
        dense["hidden1.weight"][0, 0] = np.nan
    else:
        values["user"][:] = np.inf
    with pytest.raises(NonFiniteLossError, match="4 rows"):
        step.run(batch, values, dense, None)


def test_gradients_are_clipped_by_row_and_as_a_whole() -> None:
    settings = TrainingSettings(model=MODEL, row_gradient_clip=1e-3, dense_gradient_clip=1e-2)
    result = run(mixed_batch(), settings)
    for rows in result.rows.values():
        assert np.linalg.norm(rows.gradients, axis=1).max() <= 1e-3 * 1.0001
    total = np.sqrt(sum(float((gradient**2).sum()) for gradient in result.dense.values()))
    assert total == pytest.approx(1e-2, rel=1e-3)


def test_a_batch_from_the_wire_is_trained_without_being_changed() -> None:
    batch = mixed_batch()
    decoded = ExampleBatch.decode(batch.encode())
    np.testing.assert_array_equal(run(decoded).probabilities, run(batch).probabilities)
    assert decoded.encode() == batch.encode()


def test_the_same_batch_gives_the_same_gradients() -> None:
    first, second = run(mixed_batch()), run(mixed_batch())
    for slot, rows in first.rows.items():
        np.testing.assert_array_equal(rows.gradients, second.rows[slot].gradients)


def test_steps_teach_the_model_what_it_is_shown() -> None:
    """Plain gradient descent on one batch: the loss falls and the engaged rows come out on top."""
    batch = mixed_batch(48)
    step = TrainingStep(SETTINGS)
    request = step.pull_request(batch, "m")
    values = {slot: rows_of(slot, ids) for slot, ids in request.ids.items()}
    dense = {name: weight.copy() for name, weight in DENSE.items()}
    first = step.run(batch, values, dense, None)
    for _ in range(30):
        result = step.run(batch, values, dense, None)
        for slot, rows in result.rows.items():
            values[slot] -= 0.1 * rows.gradients
        for name, gradient in result.dense.items():
            dense[name] -= 0.1 * gradient
    assert result.loss < first.loss / 2
    engaged = result.targets[:, ENGAGE]
    assert result.probabilities[engaged, ENGAGE].min() > result.probabilities[~engaged, ENGAGE].max()


def test_places_of_the_plan_lead_back_to_the_ids() -> None:
    batch = mixed_batch()
    assert batch.joined is not None
    features = batch.joined.features
    plan = plan_rows(features)
    np.testing.assert_array_equal(
        plan["context"].ids[plan["context"].places["surface"]], features.ids["surface"]
    )
    np.testing.assert_array_equal(
        plan["content"].ids[plan["content"].places["history"]], features.bags["history"].values
    )


def test_training_uses_one_thread() -> None:
    assert torch.get_num_threads() == 1


def test_counter_features_of_training_are_as_of_each_row() -> None:
    batch = mixed_batch(2, counters=False)
    batch.times[1] += 86_400
    step = TrainingStep(SETTINGS)
    request = step.pull_request(batch, "m")
    assert request.counter_ids is not None
    counters = CounterRows.zeros(request.counter_ids)
    counters.decayed[:] = 50
    counters.times[:] = NOW
    values = {slot: rows_of(slot, ids) for slot, ids in request.ids.items()}
    assert batch.joined is not None
    places = np.searchsorted(counters.ids, batch.content_keys)
    served = batch.joined.features.with_counters(counter_features(counters.take(places), batch.times))
    with_served = dataclasses.replace(batch, joined=dataclasses.replace(batch.joined, features=served))
    np.testing.assert_array_equal(
        step.run(batch, values, DENSE, counters).probabilities,
        step.run(with_served, values, DENSE, None).probabilities,
    )
