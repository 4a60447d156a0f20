"""What is served is what is trained: the same numbers from the logged features, by numpy and by torch."""

from __future__ import annotations

import numpy as np
import pytest

from learners.features.schema import RETRIEVAL_SLOT, USER_SLOT
from learners.ranking_model import RankingModelSettings, initial_dense_weights, slot_dimensions
from learners.retrieval_model import content_vectors
from learners.training_settings import TrainingSettings
from learners.training_step import TrainingStep
from learners.user_state import UserState
from learners.watch_time import expected_seconds
from messages.codec import pack, unpack
from messages.content import ContentColumns, ContentFacts
from messages.events import ContentMetadata
from messages.examples import HEADS, OUTPUTS, WATCH_TIME
from messages.identifiers import key_of
from messages.impressions import ModelVersion, RequestContext
from messages.slate_features import SlateFeatures
from messages.stored_user import StoredUser
from messages.updates import CounterRows, ModelDelta, Rows
from parameter_server.settings import SlotSettings
from serve_app.model_replica import ModelReplica
from serve_app.pipeline.default_pipeline import PipelineSettings, build_pipeline
from serve_app.pipeline.person_hydrator import PersonHydrator
from serve_app.pipeline.ranking_pipeline import RankedSlate
from serve_app.pipeline.ranking_request import FeedRequest
from serve_app.pipeline.served_model import LearnedModel
from tests.fakes import NOW
from tests.impressions import whole_rows
from tests.training_batches import examples_of

MODEL = RankingModelSettings(hidden=(32, 16))
SLOTS = {
    slot: SlotSettings(dimension=size, initial_scale=0.1) for slot, size in slot_dimensions(MODEL).items()
}
DRAWS = np.random.default_rng(4)
FACTS = [
    ContentFacts(
        f"c{index}",
        f"u{index % 7}",
        NOW - 60 * index,
        ContentMetadata(
            category=f"k{index % 5}", tags=(f"t{index % 3}", "all"), duration=float(index % 40) or None
        ),
    )
    for index in range(200)
]
CONTENTS = ContentColumns.of(FACTS)
OWN_ROW = DRAWS.normal(size=SLOTS[USER_SLOT].dimension).astype(np.float32)


def trained_replica() -> ModelReplica:
    """Drawn weights; contents, creators and categories have rows, tags and contexts their initial ones."""
    keys = {
        "content": CONTENTS.content_keys,
        RETRIEVAL_SLOT: CONTENTS.content_keys,
        "creator": np.unique(CONTENTS.creator_keys),
        "category": np.unique(CONTENTS.category_keys),
    }
    rows = {
        slot: Rows(ids, DRAWS.normal(size=(len(ids), SLOTS[slot].dimension)).astype(np.float32))
        for slot, ids in keys.items()
    }
    counters = CounterRows.zeros(CONTENTS.content_keys)
    counters.totals[:] = DRAWS.integers(0, 50, counters.totals.shape)
    counters.decayed[:] = DRAWS.random(counters.decayed.shape) * 9
    counters.times[:] = NOW - 30
    dense = {
        name: weight + DRAWS.normal(scale=0.05, size=weight.shape).astype(np.float32)
        for name, weight in initial_dense_weights(MODEL).items()
    }
    replica = ModelReplica("m", SLOTS, RETRIEVAL_SLOT, content_vectors)
    replica.apply_whole(
        ModelDelta(
            version=ModelVersion("m", "a", 1),
            previous=-1,
            full=True,
            rows=rows,
            removed={},
            dense=dense,
            counters=counters,
            contents=CONTENTS,
            removed_contents=np.empty(0, dtype=np.uint64),
            positions={},
            created_at=NOW,
        )
    )
    return replica


def person() -> StoredUser:
    state = UserState.empty("ada")
    for index in range(25):
        facts = FACTS[index]
        traits = (key_of(facts.content_id), key_of(facts.creator_id), key_of(facts.metadata.category), 20.0)
        event = {"event_type": "view", "content_id": facts.content_id, "watch_duration": float(index)}
        state.apply(event, NOW - 500 + index, traits)
        state.apply({"event_type": "like", "content_id": facts.content_id}, NOW - 500 + index, traits)
    profile = {"demographics": {"age_group": "25-34"}, "preferences": {"categories": ["k1"]}}
    return StoredUser(state=state.to_bytes(), profile=profile, rows={"m.a": {USER_SLOT: OWN_ROW}})


def serve(replica: ModelReplica, stored: StoredUser, limit: int = 20) -> RankedSlate:
    request = FeedRequest("ada", limit, RequestContext(device="phone", language="de"))
    ranking = PersonHydrator(replica).hydrate(request, stored, NOW, np.random.default_rng(0))
    return build_pipeline(PipelineSettings(), replica, LearnedModel(replica)).rank(ranking)


@pytest.mark.parametrize("stored", [person(), StoredUser()], ids=["somebody known", "somebody new"])
def test_the_training_model_gives_the_logged_features_the_probabilities_that_were_served(
    stored: StoredUser,
) -> None:
    replica = trained_replica()
    slate = serve(replica, stored)
    assert slate.scored is not None
    logged = whole_rows(
        SlateFeatures.from_wire(unpack(pack(slate.scored.features.to_wire()))), slate.scored.contents
    )
    batch = examples_of(logged)
    step = TrainingStep(TrainingSettings(model=MODEL))

    request = step.pull_request(batch, "m")
    values = {slot: replica.rows(slot, ids) for slot, ids in request.ids.items()}
    if stored.rows:
        values[USER_SLOT][request.ids[USER_SLOT] == key_of("ada")] = OWN_ROW
    trained = step.run(batch, values, replica.dense, None)

    assert len(slate) == 20
    served = slate.scored.probabilities
    assert np.abs(trained.probabilities - served[:, : len(HEADS)]).max() < 1e-5
    seconds = expected_seconds(served[:, OUTPUTS.index(WATCH_TIME)])
    np.testing.assert_allclose(trained.expected_seconds, seconds, rtol=1e-4)
    assert slate.scored.probabilities.std(axis=0).max() > 0.01  # it tells contents apart


def test_a_persons_own_row_changes_what_they_are_served() -> None:
    replica = trained_replica()
    stored = person()

    with_row = serve(replica, stored, 10)
    without = serve(replica, StoredUser(state=stored.state, profile=stored.profile), 10)

    assert with_row.scored is not None
    assert without.scored is not None
    assert with_row.scored.contents.content_ids != without.scored.contents.content_ids


def test_one_changed_row_changes_the_next_answer() -> None:
    replica = trained_replica()
    before = serve(replica, person(), 5)
    assert before.scored is not None
    worst = before.scored.candidates.content_keys[:1]
    biased = replica.rows("content", worst)
    biased[:, -1] -= 50
    replica.apply_whole(
        ModelDelta(
            version=ModelVersion("m", "a", 2),
            previous=1,
            full=False,
            rows={"content": Rows(worst, biased)},
            removed={},
            dense={},
            counters=None,
            contents=None,
            removed_contents=np.empty(0, dtype=np.uint64),
            positions={},
            created_at=NOW,
        )
    )

    after = serve(replica, person(), 5)

    assert after.scored is not None
    assert worst[0] not in after.scored.candidates.content_keys
