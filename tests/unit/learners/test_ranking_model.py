import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from learners.features.assembly import assemble, assemble_person, assemble_tower
from learners.features.schema import RETRIEVAL_SLOT, SHARED_ID_FEATURES
from learners.model_inputs import (
    NUMPY,
    LookedUpRows,
    gather_inputs,
    gather_user_inputs,
    is_one_request,
    lay_out,
    mean_pooled,
)
from learners.ranking_model import (
    HEAD_PRIORS,
    RankingModelSettings,
    initial_dense_weights,
    input_layout,
    score,
    slot_dimensions,
    slot_learning_rates,
)
from learners.retrieval_model import content_vectors, user_vector
from learners.user_state import UserState
from learners.watch_outcome import ContentTraits
from messages.arrays import FloatArray, IdArray
from messages.content import ContentColumns, ContentFacts
from messages.events import ContentMetadata
from messages.examples import OUTPUTS
from messages.features import FeatureBatch, IdBags
from messages.identifiers import MISSING_KEY, mix
from messages.impressions import RequestContext
from messages.updates import CounterRows

SETTINGS = RankingModelSettings()
LAYOUT = input_layout(SETTINGS)
DENSE = initial_dense_weights(SETTINGS)
NOW = 1_650_000_000.0


class HashedRows:
    """Rows that are a function of slot and id, so every batch of look-ups agrees; MISSING_KEY is zeros."""

    def __init__(self, scale: float = 0.3) -> None:
        self.scale = scale
        self.num_rows_asked = 0

    def rows(self, slot: str, ids: IdArray) -> FloatArray:
        self.num_rows_asked += len(ids)
        columns = np.arange(1, LAYOUT.dimensions[slot] + 1, dtype=np.uint64)
        values = (mix(ids[:, None] + columns * np.uint64(7919)) >> np.uint64(40)).astype(np.float32)
        values = (values / np.float32(1 << 23) - 1) * np.float32(self.scale)
        values[ids == MISSING_KEY] = 0
        return values


class TorchOperations:
    def concatenate(self, parts):
        return torch.cat(list(parts), dim=1)

    def added(self, values, more):
        return values + more

    def rectified(self, values):
        return torch.relu(values)


class TorchRows:
    """The same rows as tensors."""

    def __init__(self, embedding: LookedUpRows) -> None:
        self._embedding = embedding

    def rows(self, slot, features):
        return torch.from_numpy(self._embedding.rows(slot, features))

    def pooled(self, slot, feature):
        return torch.from_numpy(self._embedding.pooled(slot, feature))


def person(name: str = "u") -> UserState:
    state = UserState.empty(name)
    for number in range(12):
        facts = ContentColumns.of([content(number)])
        traits = ContentTraits(
            *(int(keys[0]) for keys in (facts.content_keys, facts.creator_keys)),
            int(facts.category_keys[0]),
            9.0,
        )
        kind = "view" if number % 3 else "skip"
        state.apply(
            {"event_type": kind, "content_id": f"c{number}", "watch_duration": 5.0}, NOW + number - 99, traits
        )
    return state


def content(number: int) -> ContentFacts:
    tags = tuple(f"t{tag}" for tag in range(number % 4))
    metadata = ContentMetadata(category=f"k{number % 5}", tags=tags, duration=1.0 + number % 40)
    return ContentFacts(f"c{number}", f"a{number % 17}", NOW - 3_600 * number, metadata)


def request(num_contents: int = 50, name: str = "u") -> FeatureBatch:
    contents = ContentColumns.of([content(number) for number in range(num_contents)])
    counters = CounterRows.zeros(contents.content_keys)
    counters.totals[:, 0] = np.arange(num_contents)
    context = RequestContext(surface="home", device="phone")
    return assemble(person(name), {"location": "Oslo"}, context, contents, NOW, counters)


def test_numpy_and_torch_give_the_same_scores() -> None:
    features, rows = request(), HashedRows()
    served = score(DENSE, gather_inputs(features, rows, LAYOUT))
    assert features.counters is not None
    weights = {name: torch.from_numpy(weight) for name, weight in DENSE.items()}
    inputs = lay_out(
        torch.from_numpy(features.dense),
        torch.from_numpy(features.counters),
        TorchRows(LookedUpRows(features, rows)),
        LAYOUT,
        TorchOperations(),
    )
    trained = score(weights, inputs, TorchOperations()).numpy()
    assert served.shape == (50, len(OUTPUTS))
    assert served.dtype == np.float32
    np.testing.assert_allclose(served, trained, atol=1e-5)


def test_a_request_and_its_rows_one_by_one_give_the_same_scores() -> None:
    features, rows = request(20), HashedRows()
    together = score(DENSE, gather_inputs(features, rows, LAYOUT))
    mixed = FeatureBatch.concatenate([features, request(20, "other")])
    assert is_one_request(features)
    assert not is_one_request(mixed)
    apart = score(DENSE, gather_inputs(mixed, rows, LAYOUT))[:20]
    np.testing.assert_allclose(together, apart, atol=1e-5)


def test_what_a_request_shares_is_looked_up_once() -> None:
    one, many = HashedRows(), HashedRows()
    gather_inputs(request(1), one, LAYOUT)
    gather_inputs(request(100), many, LAYOUT)
    shared = len(SHARED_ID_FEATURES)
    assert many.num_rows_asked < 100 * (one.num_rows_asked - shared)
    inputs = gather_inputs(request(100), many, LAYOUT)
    assert len(inputs.shared) == 1
    assert len(inputs.own) == 100


def test_a_batch_of_one_person_at_two_moments_is_not_one_request() -> None:
    features = request(2)
    features.dense[1, 0] += 1
    assert not is_one_request(features)


def test_heads_start_at_their_base_rates() -> None:
    logits = score(DENSE, gather_inputs(request(), HashedRows(scale=0.0), LAYOUT))
    probabilities = 1 / (1 + np.exp(-logits.mean(axis=0)))
    for head, probability in zip(OUTPUTS, probabilities, strict=True):
        assert probability == pytest.approx(HEAD_PRIORS[head], rel=0.6)


def test_a_bias_moves_every_logit_by_itself() -> None:
    features = request(5)
    inputs = gather_inputs(features, HashedRows(0.0), LAYOUT)
    before = score(DENSE, inputs)
    inputs.own[:, LAYOUT.bias_columns(("content",))] = 1.0
    plain = dict(DENSE)
    plain["first.own"] = DENSE["first.own"].copy()
    plain["first.own"][:, : -len(OUTPUTS)] = 0  # the wide part alone
    np.testing.assert_allclose(
        score(plain, inputs) - score(plain, gather_inputs(features, HashedRows(0.0), LAYOUT)),
        np.ones_like(before),
        atol=1e-5,
    )


def test_first_weights_are_a_function_of_the_settings() -> None:
    again, other = initial_dense_weights(SETTINGS), initial_dense_weights(RankingModelSettings(seed=1))
    for name, weight in DENSE.items():
        np.testing.assert_array_equal(weight, again[name])
        assert weight.dtype == np.float32
    assert (other["first.own"] != DENSE["first.own"]).any()


def test_sizes_follow_the_settings() -> None:
    settings = RankingModelSettings(content_dimension=4, hidden=(12, 8), retrieval_dimension=6)
    weights = initial_dense_weights(settings)
    assert slot_dimensions(settings)["user"] == slot_dimensions(settings)["content"] == 5
    assert slot_dimensions(settings)[RETRIEVAL_SLOT] == 7
    assert weights["first.products"].shape == (2 * 4 + settings.category_dimension, 12 + len(OUTPUTS))
    assert weights["hidden1.weight"].shape == (12, 8)
    assert "hidden2.weight" not in weights


def test_every_slot_has_a_learning_rate() -> None:
    rates = slot_learning_rates(RankingModelSettings(learning_rate=0.1, slot_learning_rates={"user": 0.3}))
    assert rates.keys() == LAYOUT.dimensions.keys()
    assert rates["user"] == 0.3
    assert rates["content"] == 0.1


def test_an_untrained_tower_answers_the_mean_of_the_history() -> None:
    features, rows = assemble_person(person(), None, RequestContext(), NOW), HashedRows()
    vector = user_vector(DENSE, gather_user_inputs(features, rows))
    lean = user_vector(DENSE, gather_user_inputs(assemble_tower(person()), rows))
    np.testing.assert_array_equal(lean, vector)
    history = rows.rows(RETRIEVAL_SLOT, features.bags["history"].values)
    assert len(history) == 8
    np.testing.assert_allclose(vector[:, :-1], history[:, :-1].mean(axis=0, keepdims=True), atol=1e-6)
    assert vector.shape == (1, SETTINGS.retrieval_dimension + 1)
    assert vector[0, -1] == 1


def test_inner_products_of_towers_add_the_contents_bias() -> None:
    rows = HashedRows().rows(RETRIEVAL_SLOT, np.arange(1, 9, dtype=np.uint64))
    vectors = content_vectors(rows)
    person_vector = np.ones((1, vectors.shape[1]), np.float32)
    np.testing.assert_allclose(
        person_vector @ vectors.T, rows[:, :-1].sum(axis=1)[None] + rows[:, -1], rtol=1e-5
    )


def test_untrained_retrieval_finds_contents_like_those_of_the_history() -> None:
    generator = np.random.default_rng(0)
    centres = generator.standard_normal((2, 32))
    kinds = np.arange(200) % 2
    contents = np.concatenate(
        [centres[kinds] + 0.5 * generator.standard_normal((200, 32)), np.zeros((200, 1))], axis=1
    ).astype(np.float32)

    class Planted(HashedRows):
        def rows(self, slot: str, ids: IdArray) -> FloatArray:
            return contents[:16:2] if slot == RETRIEVAL_SLOT else super().rows(slot, ids)

    features = assemble_person(person(), None, RequestContext(), NOW)
    vector = user_vector(DENSE, gather_user_inputs(features, Planted()))
    scores = (vector @ content_vectors(contents).T)[0]
    assert roc_auc_score(kinds[16:] == 0, scores[16:]) > 0.95


def test_empty_bags_pool_to_zeros() -> None:
    rows = np.arange(6, dtype=np.float32).reshape(3, 2)
    bags = IdBags(np.arange(3, dtype=np.uint64), np.array([0, 0, 2, 2, 3, 3]))
    np.testing.assert_array_equal(mean_pooled(rows, bags), [[0, 0], [1, 2], [0, 0], [4, 5], [0, 0]])
    nothing = IdBags(np.empty(0, np.uint64), np.zeros(3, np.int64))
    np.testing.assert_array_equal(mean_pooled(np.empty((0, 2), np.float32), nothing), np.zeros((2, 2)))


def test_rectifying_keeps_what_is_positive() -> None:
    np.testing.assert_array_equal(NUMPY.rectified(np.array([-1.0, 2.0], np.float32)), [0, 2])
