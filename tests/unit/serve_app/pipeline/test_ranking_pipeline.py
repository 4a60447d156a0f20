"""A whole request, from the person's stored bytes to a slate and its trace."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from learners.user_state import UserState
from messages.identifiers import key_of, keys_of
from messages.impressions import RequestContext
from messages.stored_user import StoredUser
from serve_app.pipeline.default_pipeline import (
    PipelineSettings,
    build_filters,
    build_pipeline,
    build_scorers,
    build_sources,
)
from serve_app.pipeline.epsilon_greedy_exploration import EpsilonGreedyExploration, ExplorationSettings
from serve_app.pipeline.feature_hydrator import FeatureHydrator
from serve_app.pipeline.person_hydrator import PersonHydrator
from serve_app.pipeline.ranking_pipeline import RankingPipeline
from serve_app.pipeline.ranking_request import FeedRequest, PersonRows
from serve_app.pipeline.top_score_selector import SlateSettings, TopScoreSelector
from tests.fakes import (
    NOW,
    RETRIEVAL,
    KnownModel,
    content,
    counted,
    empty_replica,
    ranking_request,
    replica_of,
)

CONTENTS = [content(f"c{index}", f"u{index}", f"k{index % 3}") for index in range(30)]
RISING = KnownModel({f"c{index}": index / 30 for index in range(30)})
LEARNED_ONLY = PipelineSettings(learned_order_only=True)


def test_the_learned_score_alone_orders_when_asked_to() -> None:
    replica = replica_of(CONTENTS)

    slate = build_pipeline(LEARNED_ONLY, replica, RISING).rank(ranking_request(replica, limit=4))

    assert slate.scored is not None
    assert slate.scored.contents.content_ids == ["c29", "c28", "c27", "c26"]
    assert slate.propensities.tolist() == [1, 1, 1, 1]
    assert not slate.explored.any()


def test_columns_of_a_slate_belong_together() -> None:
    replica = replica_of(CONTENTS)
    settings = PipelineSettings(exploration=ExplorationSettings(epsilon=0.5))

    slate = build_pipeline(settings, replica, RISING).rank(ranking_request(replica, limit=10))

    assert slate.scored is not None
    ids = slate.scored.contents.content_ids
    assert keys_of(ids).tolist() == slate.scored.candidates.content_keys.tolist()
    assert keys_of(ids).tolist() == slate.scored.features.ids["content"].tolist()
    expected = [int(name[1:]) / 30 for name in ids]
    assert np.allclose(slate.scored.probabilities[:, 0], expected)
    assert len(slate.sources) == len(slate.propensities) == len(slate.explored) == 10


def test_nothing_served_watched_hidden_or_blocked_is_shown() -> None:
    replica = replica_of(CONTENTS)
    state = UserState.empty("ada")
    state.apply({"event_type": "skip", "content_id": "c29"}, NOW, None)
    state.apply({"event_type": "hide", "content_id": "c28"}, NOW, None)
    state.apply({"event_type": "report", "content_id": "c27", "creator_id": "u27"}, NOW, None)
    stored = StoredUser(state=state.to_bytes(), served=keys_of(["c26", "gone"]))
    request = PersonHydrator(replica).hydrate(FeedRequest("ada", 30), stored, NOW, np.random.default_rng(0))

    slate = build_pipeline(LEARNED_ONLY, replica, RISING).rank(request)

    assert slate.scored is not None
    assert slate.scored.contents.content_ids == [f"c{index}" for index in range(25, -1, -1)]


def test_an_empty_catalogue_gives_an_empty_slate() -> None:
    replica = empty_replica()

    slate = build_pipeline(PipelineSettings(), replica, RISING).rank(ranking_request(replica))

    assert len(slate) == 0
    assert slate.scored is None


def test_the_trace_counts_what_each_stage_kept_and_removed() -> None:
    replica = replica_of(CONTENTS)

    trace = (
        build_pipeline(PipelineSettings(), replica, RISING)
        .rank(ranking_request(replica, limit=7, served=["c3"]))
        .trace
    )

    assert [record.kind for record in trace.records] == (
        ["source"] * 7 + ["filter"] * 9 + ["hydrator"] + ["scorer"] * 6 + ["selector", "exploration"]
    )
    assert trace.removed["previously_served"] == 1
    assert trace.records[-1].num_out == 7
    assert trace.num_proposed == trace.records[7].num_in
    assert all(record.seconds >= 0 for record in trace.records)


def test_a_persons_own_rows_stand_before_the_replicas() -> None:
    replica = replica_of([content("a")], vectors={"a": [1, 2, 3]})
    own = {RETRIEVAL: np.array([7, 8, 9], dtype=np.float32)}
    rows = PersonRows(replica, key_of("ada"), own)

    assert rows.rows(RETRIEVAL, keys_of(["a", "ada", "bob"])).tolist() == [[1, 2, 3], [7, 8, 9], [0, 0, 0]]


def test_rows_of_another_lineage_are_not_the_persons_rows() -> None:
    replica = replica_of([content("a")])
    row = np.ones(3, dtype=np.float32)
    hydrator, generator = PersonHydrator(replica), np.random.default_rng(0)
    ask = FeedRequest("ada", 5, RequestContext(device="phone"))

    old = hydrator.hydrate(ask, StoredUser(rows={"fake.0": {RETRIEVAL: row}}), NOW, generator)
    current = hydrator.hydrate(ask, StoredUser(rows={"fake.a": {RETRIEVAL: row}}), NOW, generator)

    assert old.rows.rows(RETRIEVAL, keys_of(["ada"])).tolist() == [[0, 0, 0]]
    assert current.rows.rows(RETRIEVAL, keys_of(["ada"])).tolist() == [[1, 1, 1]]


class Broken:
    name = "broken"

    def propose(self, request):
        raise ConnectionError("no neighbours today")


def pipeline_with(replica, *more, observers=()):
    settings = PipelineSettings()
    return RankingPipeline(
        replica=replica,
        sources=[*more, *build_sources(settings, replica, RISING)],
        filters=build_filters(settings, replica),
        hydrator=FeatureHydrator(replica, RISING),
        scorers=build_scorers(settings, replica, RISING),
        selector=TopScoreSelector(SlateSettings()),
        exploration=EpsilonGreedyExploration(ExplorationSettings(epsilon=0.0), 2),
        observers=observers,
    )


def test_a_source_that_fails_is_left_out_and_named_in_the_trace() -> None:
    replica = replica_of(CONTENTS)

    slate = pipeline_with(replica, Broken()).rank(ranking_request(replica, limit=3))

    assert len(slate) == 3
    assert slate.trace.failures == {"broken": "ConnectionError: no neighbours today"}
    assert slate.trace.records[0].name == "broken"
    assert slate.trace.records[0].num_out == 0
    assert "broken" not in slate.sources


class NeverOne:
    name = "never_one"

    def select(self, scored, limit):
        if limit == 1:
            raise ArithmeticError("one is too few")
        return np.arange(min(limit, len(scored)))


def test_of_requests_that_are_ranked_together_one_that_fails_is_nothing_to_the_others() -> None:
    replica = replica_of(CONTENTS)
    pipeline = RankingPipeline(
        replica=replica,
        sources=build_sources(PipelineSettings(), replica, RISING),
        filters=build_filters(PipelineSettings(), replica),
        hydrator=FeatureHydrator(replica, RISING),
        scorers=build_scorers(PipelineSettings(), replica, RISING),
        selector=NeverOne(),
        exploration=EpsilonGreedyExploration(ExplorationSettings(epsilon=0.0), 2),
    )

    few, failed, more = pipeline.rank_together([ranking_request(replica, limit=limit) for limit in (2, 1, 5)])

    assert isinstance(failed, ArithmeticError)
    assert [len(slate) for slate in (few, more) if not isinstance(slate, Exception)] == [2, 5]


def test_an_explanation_adds_up_to_the_score_and_tells_every_move() -> None:
    replica = replica_of(CONTENTS, counters=counted({"c3": 500.0}))
    request = replace(ranking_request(replica, limit=10), explain=True)

    slate = pipeline_with(replica).rank(request)

    assert slate.scored is not None
    told = slate.explanation
    assert told is not None
    total = sum(told.signals.values()) + sum(told.adjustments.values())
    assert np.allclose(total, slate.scored.scores)
    assert told.places_by_score.tolist() == list(range(10))
    assert told.places_by_selector.tolist() == list(range(10))


def test_nobody_pays_for_an_explanation_that_was_not_asked_for() -> None:
    replica = replica_of(CONTENTS)

    assert pipeline_with(replica).rank(ranking_request(replica)).explanation is None


def test_observers_hear_of_a_slate_as_it_is_shown_once_it_will_be() -> None:
    heard = []

    class Listener:
        def observe(self, request, considered, shown):
            heard.append(shown.contents.content_ids)

    replica = replica_of(CONTENTS)
    pipeline, request = pipeline_with(replica, observers=[Listener()]), ranking_request(replica, limit=4)
    slate = pipeline.rank(request)
    assert not heard

    pipeline.observe(request, slate)
    assert slate.scored is not None
    assert heard == [slate.scored.contents.content_ids]
