"""One request's candidates are scored as the training model scores rows of their logged features."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learners.features.assembly import assemble_request
from learners.features.request_features import RequestFeatures
from learners.model_inputs import InputLayout, gather_inputs, gather_user_inputs, mean_pooled
from learners.online_scaling import ScalingMethod, scaling_of
from learners.ranking_model import RankingModelSettings, initial_dense_weights, score, slot_dimensions
from learners.request_inputs import gather_request, gather_tower
from learners.request_layout import RequestLayout
from learners.request_network import RequestNetwork
from learners.user_state import UserState
from learners.watch_outcome import ContentTraits
from messages.arrays import FloatArray, IdArray
from messages.content import ContentColumns, ContentFacts
from messages.events import ContentMetadata
from messages.examples import OUTPUTS
from messages.features import IdBags
from messages.identifiers import MISSING_KEY, key_of, mix
from messages.impressions import RequestContext
from messages.updates import CounterRows

NOW = 1_650_000_000.0
LAYOUT = InputLayout(slot_dimensions(RankingModelSettings()))
REQUEST_LAYOUT = RequestLayout(LAYOUT)


class HashedRows:
    """Rows that are a function of slot and id; MISSING_KEY is zeros."""

    def rows(self, slot: str, ids: IdArray) -> FloatArray:
        columns = np.arange(1, LAYOUT.dimensions[slot] + 1, dtype=np.uint64)
        bits = mix(ids[:, None] + columns * np.uint64(7919) + np.uint64(key_of(slot)))
        values = ((bits >> np.uint64(40)).astype(np.float32) / np.float32(1 << 23) - 1) * np.float32(0.3)
        values[ids == MISSING_KEY] = 0
        return values

    def copy_rows(self, slot: str, ids: IdArray, into: FloatArray, column: int) -> None:
        into[:, column : column + LAYOUT.dimensions[slot]] = self.rows(slot, ids)

    def copy_means(self, slot: str, bags: IdBags, into: FloatArray, column: int) -> None:
        means = mean_pooled(self.rows(slot, bags.values), bags)
        into[:, column : column + LAYOUT.dimensions[slot]] = means


def weights_of(hidden: tuple[int, ...], scaling: ScalingMethod) -> dict[str, FloatArray]:
    draws = np.random.default_rng(3)
    settings = RankingModelSettings(hidden=hidden, scaling=scaling)
    return {
        name: weight + np.abs(draws.normal(scale=0.05, size=weight.shape)).astype(np.float32)
        for name, weight in initial_dense_weights(settings).items()
    }


def content(number: int) -> ContentFacts:
    metadata = ContentMetadata(
        category=f"k{number % 5}" if number % 6 else "",
        tags=tuple(f"t{tag}" for tag in range(number % 4)),
        duration=float(number % 40) or None,
        language=("", "de", "fr-CA")[number % 3],
        audio_id="a" * (number % 2),
    )
    return ContentFacts(f"c{number}", f"a{number % 17}", NOW - 3_600 * number, metadata)


def request(numbers: list[int], watched: list[int], surface: str) -> RequestFeatures:
    state = UserState.empty("ada")
    for turn, number in enumerate(watched):
        facts = ContentColumns.of([content(number)])
        traits = ContentTraits(
            int(facts.content_keys[0]), int(facts.creator_keys[0]), int(facts.category_keys[0]), 9.0
        )
        event = {"event_type": "view", "content_id": f"c{number}", "watch_duration": float(number % 12)}
        state.apply(event, NOW + turn - 99, traits)
    contents = ContentColumns.of([content(number) for number in numbers])
    counters = CounterRows.zeros(contents.content_keys)
    counters.totals[:, :3] = np.array(numbers)[:, None]
    context = RequestContext(surface=surface, device="phone", language="de")
    return assemble_request(state, {"location": "Oslo"}, context, contents, NOW, counters)


def both(features: RequestFeatures, dense: dict[str, FloatArray]) -> tuple[FloatArray, FloatArray]:
    """Return the logits by the network for requests and by the definition."""
    scaling = scaling_of(dense)
    inputs = gather_request(features, HashedRows(), REQUEST_LAYOUT, scaling)
    logged = features.whole_rows()
    defined = score(dense, gather_inputs(logged, HashedRows(), LAYOUT, scaling))
    return RequestNetwork(dense, LAYOUT).logits(inputs), defined


@pytest.mark.parametrize("scaling", ["z_score", "min_max", "none"])
@pytest.mark.parametrize("hidden", [(32,), (64, 16), (32, 16, 8)])
@given(
    numbers=st.lists(st.integers(0, 200), min_size=1, max_size=60, unique=True),
    watched=st.lists(st.integers(0, 200), max_size=30),
    surface=st.sampled_from(["", "home"]),
)
def test_a_request_is_scored_as_the_model_is_defined(
    scaling: ScalingMethod, hidden: tuple[int, ...], numbers: list[int], watched: list[int], surface: str
) -> None:
    served, defined = both(request(numbers, watched, surface), weights_of(hidden, scaling))

    assert served.dtype == np.float32
    assert served.shape == (len(numbers), len(OUTPUTS))
    np.testing.assert_allclose(served, defined, rtol=1e-5, atol=1e-5)


@given(watched=st.lists(st.integers(0, 200), max_size=30))
def test_the_person_enters_the_tower_as_the_model_is_defined(watched: list[int]) -> None:
    person = request([1], watched, "home").person

    served, defined = gather_tower(person, HashedRows(), LAYOUT), gather_user_inputs(person, HashedRows())

    np.testing.assert_allclose(served.history, defined.history, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(served.shared, defined.shared, rtol=1e-6, atol=1e-7)


def test_later_requests_do_not_change_what_earlier_ones_were_answered() -> None:
    features, dense = request([*range(50)], [3, 4], "home"), weights_of((32, 16), "z_score")
    network = RequestNetwork(dense, LAYOUT)

    first = network.logits(gather_request(features, HashedRows(), REQUEST_LAYOUT, None))
    before = first.copy()
    network.logits(gather_request(request([7, 9], [5], ""), HashedRows(), REQUEST_LAYOUT, None))

    assert first.tolist() == before.tolist()
    again = network.logits(gather_request(features, HashedRows(), REQUEST_LAYOUT, None))
    assert again.tolist() == before.tolist()


def test_a_number_that_is_none_leaves_the_model_without_an_answer_for_that_content_alone() -> None:
    features = request([*range(10)], [3], "home")
    pair = features.pair.copy()
    pair[4, 2] = np.nan

    served, defined = both(replace(features, pair=pair), weights_of((32, 16), "z_score"))

    assert np.isnan(served[4]).all()
    assert np.isnan(defined[4]).all()
    assert np.isfinite(np.delete(served, 4, axis=0)).all()


def test_a_weight_that_is_none_leaves_the_model_without_any_answer() -> None:
    features, dense = request([*range(10)], [3], "home"), weights_of((32, 16), "z_score")
    dense["first.bias"][0, 3] = -np.inf  # the unit is never reached
    dense["hidden1.weight"][3, 5] = np.nan

    served, defined = both(features, dense)

    assert np.isnan(served).all()
    assert np.isnan(defined).all()
