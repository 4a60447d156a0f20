import dataclasses

import numpy as np
import pytest
import torch

from learners.content_births import birth_rows
from learners.features.assembly import assemble
from learners.features.counter_features import counter_features
from learners.features.schema import RETRIEVAL_SLOT
from learners.model_inputs import gather_inputs
from learners.online_scaling import scaling_of
from learners.ranking_model import score
from learners.step_result import NonFiniteLossError
from learners.training_plan import plan_rows
from learners.training_step import TrainingStep
from learners.user_state import UserState
from messages.content import ContentColumns
from messages.examples import HEADS, ExampleBatch
from messages.features import FeatureBatch
from messages.identifiers import keys_of
from messages.impressions import RequestContext
from messages.updates import CounterRows
from messages.uploads import Uploads
from tests.training_batches import (
    DENSE,
    LAYOUT,
    MODEL,
    NOW,
    SETTINGS,
    Lookup,
    batch_of,
    content,
    mixed_batch,
    rows_of,
    run,
)


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
    logits = score(DENSE, gather_inputs(batch.joined.features, Lookup(), LAYOUT, scaling_of(DENSE)))
    np.testing.assert_allclose(
        run(batch).probabilities, 1 / (1 + np.exp(-logits[:, : len(HEADS)])), atol=1e-5
    )


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
    logits = score(DENSE, gather_inputs(served, Lookup(), LAYOUT, scaling_of(DENSE)))
    np.testing.assert_allclose(trained.probabilities, 1 / (1 + np.exp(-logits[:, : len(HEADS)])), atol=1e-5)


def test_counts_say_how_often_a_row_occurs() -> None:
    result = run(batch_of([(0, 1), (0, 1), (0, 2)], [True, False, True]))
    counts = dict(
        zip(result.rows["content"].ids.tolist(), result.rows["content"].counts.tolist(), strict=True)
    )
    first, second = keys_of(["c1", "c2"]).tolist()
    assert (counts[first], counts[second]) == (2, 1)


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


def test_a_batch_from_the_wire_is_trained_without_being_changed() -> None:
    batch = mixed_batch()
    decoded = ExampleBatch.decode(batch.encode())
    np.testing.assert_array_equal(run(decoded).probabilities, run(batch).probabilities)
    assert decoded.encode() == batch.encode()


def test_the_same_batch_gives_the_same_gradients() -> None:
    first, second = run(mixed_batch()), run(mixed_batch())
    for slot, rows in first.rows.items():
        np.testing.assert_array_equal(rows.gradients, second.rows[slot].gradients)


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
