"""What each source finds, and why."""

from __future__ import annotations

import numpy as np

from learners.user_state import UserState
from messages.identifiers import key_of
from serve_app.model_replica import ModelReplica
from serve_app.pipeline.candidate import Proposal
from serve_app.pipeline.catalogue_sample_source import CatalogueSampleSettings, CatalogueSampleSource
from serve_app.pipeline.followed_source import (
    FollowedCreatorsSource,
    FollowedSettings,
    PreferredCategoriesSource,
)
from serve_app.pipeline.fresh_source import FreshSettings, FreshSource
from serve_app.pipeline.similar_to_liked_source import SimilarToLikedSettings, SimilarToLikedSource
from serve_app.pipeline.trending_source import TrendingSettings, TrendingSource
from serve_app.pipeline.two_tower_source import TwoTowerSettings, TwoTowerSource
from tests.fakes import NOW, KnownModel, content, counted, delta, ranking_request, replica_of


def names(replica: ModelReplica, proposal: Proposal) -> list[str]:
    return replica.contents(proposal.rows).content_ids


def likes(*content_ids: str) -> UserState:
    state = UserState.empty("ada")
    for content_id in content_ids:
        state.apply({"event_type": "like", "content_id": content_id}, NOW - 10, None)
    return state


def test_the_two_towers_find_the_nearest_and_their_bias_counts() -> None:
    replica = replica_of(
        [content("a"), content("b"), content("c")],
        vectors={"a": [1, 0, 0], "b": [0.5, 0, 0], "c": [0, 9, 0.8]},
    )
    source = TwoTowerSource(TwoTowerSettings(num_candidates=2), replica, KnownModel(taste=[1, 0, 1]))

    proposal = source.propose(ranking_request(replica))

    assert names(replica, proposal) == ["a", "c"]
    assert proposal.scores.tolist() == np.array([1, 0.8], dtype=np.float32).tolist()


def test_what_was_seen_does_not_take_the_place_of_what_was_not() -> None:
    replica = replica_of([content("a"), content("b")], vectors={"a": [2, 0, 0], "b": [1, 0, 0]})
    source = TwoTowerSource(TwoTowerSettings(num_candidates=1), replica, KnownModel())

    assert names(replica, source.propose(ranking_request(replica, excluded=["a"]))) == ["b"]


def test_likeness_to_a_liked_content_ignores_popularity_and_names_its_reason() -> None:
    replica = replica_of(
        [content("liked"), content("like it"), content("popular")],
        vectors={"liked": [1, 0, 0], "like it": [1, 0, -5], "popular": [0, 1, 100]},
    )
    source = SimilarToLikedSource(SimilarToLikedSettings(num_candidates=1), replica)

    proposal = source.propose(ranking_request(replica, likes("liked", "no more there")))

    assert names(replica, proposal) == ["like it"]
    assert proposal.anchors.tolist() == [key_of("liked")]


def test_the_nearest_to_several_likes_come_once_with_the_closer_reason() -> None:
    replica = replica_of(
        [content("x"), content("y"), content("near y")],
        vectors={"x": [1, 0, 0], "y": [0, 1, 0], "near y": [0.1, 1, 0]},
    )
    source = SimilarToLikedSource(SimilarToLikedSettings(num_candidates=4, num_anchors=2), replica)

    proposal = source.propose(ranking_request(replica, likes("x", "y")))

    assert names(replica, proposal) == ["near y"]
    assert proposal.anchors.tolist() == [key_of("y")]


def test_without_likes_the_contents_engaged_with_stand_in() -> None:
    replica = replica_of([content("a"), content("b")], vectors={"a": [1, 0, 0], "b": [1, 0, 0]})
    state = UserState.empty("ada")
    state.apply({"event_type": "view", "content_id": "a", "watch_duration": 30.0}, NOW, None)
    source = SimilarToLikedSource(SimilarToLikedSettings(), replica)

    assert names(replica, source.propose(ranking_request(replica, state))) == ["b"]


def test_trending_follows_engagement_as_it_decays() -> None:
    replica = replica_of([content("was big"), content("is big"), content("quiet")])
    old = counted({"was big": 100.0})
    old.times[:] = NOW - 10 * 3_600
    replica.apply_whole(delta(2, previous=1, counters=old))
    replica.apply_whole(delta(3, previous=2, counters=counted({"is big": 2.0})))

    proposal = TrendingSource(TrendingSettings(), replica).propose(ranking_request(replica))

    assert names(replica, proposal) == ["is big", "was big"]


def test_fresh_contents_are_proposed_until_their_budget_of_watchers_is_spent() -> None:
    replica = replica_of(
        [
            content("newest", uploaded=NOW),
            content("new", uploaded=NOW - 5),
            content("judged", uploaded=NOW - 1),
        ],
        counters=counted({}, {"judged": 50, "new": 49}),
    )

    proposal = FreshSource(FreshSettings(watch_budget=50), replica).propose(ranking_request(replica))

    assert names(replica, proposal) == ["newest", "new"]


def test_followed_creators_take_turns_newest_first() -> None:
    replica = replica_of(
        [content("a1", "ann"), content("a2", "ann"), content("b1", "bob"), content("e1", "eve")]
    )
    state = UserState.empty("ada")
    state.apply({"event_type": "follow", "creator_id": "ann"}, NOW, None)
    request = ranking_request(replica, state, profile={"preferences": {"creators_followed": ["bob"]}})

    proposal = FollowedCreatorsSource(FollowedSettings(num_candidates=2), replica).propose(request)

    assert set(names(replica, proposal)) == {"a2", "b1"}
    assert set(proposal.anchors.tolist()) == {key_of("ann"), key_of("bob")}


def test_a_content_whose_creator_changed_is_no_longer_of_the_one_before() -> None:
    replica = replica_of([content("a", "ann")])
    replica.apply_whole(delta(2, previous=1, contents=[content("a", "bob")]))
    source = FollowedCreatorsSource(FollowedSettings(), replica)

    for creator, expected in (("ann", []), ("bob", ["a"])):
        request = ranking_request(replica, profile={"preferences": {"creators_followed": [creator]}})
        assert names(replica, source.propose(request)) == expected


def test_stated_categories_bring_their_newest_contents() -> None:
    replica = replica_of([content("a", category="art"), content("m", category="music")])
    request = ranking_request(replica, profile={"preferences": {"categories": ["music"]}})

    proposal = PreferredCategoriesSource(FollowedSettings(), replica).propose(request)

    assert names(replica, proposal) == ["m"]


def test_the_catalogue_sample_reaches_every_content_and_gives_newcomers_more() -> None:
    replica = replica_of([content(f"c{index}") for index in range(400)])
    source = CatalogueSampleSource(
        CatalogueSampleSettings(num_candidates=10, num_cold_candidates=60), replica
    )
    request = ranking_request(replica)
    drawn = {name for _ in range(60) for name in names(replica, source.propose(request))}

    assert len(source.propose(request)) == 60
    assert len(drawn) == 400
    state = UserState.empty("ada")
    state.apply({"event_type": "skip", "content_id": "c1"}, NOW, None)
    assert len(source.propose(ranking_request(replica, state))) == 10
