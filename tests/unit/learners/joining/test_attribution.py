"""Which impression an event is put to."""

from __future__ import annotations

from typing import Any

import numpy as np

from learners.example_builder import MAX_COMMENT_WORDS
from messages.identifiers import key_of, keys_of


def joined_requests(stage: Any) -> list[int]:
    joined = stage.release().batch.joined
    return [] if joined is None else joined.request_keys.tolist()


def test_an_event_with_a_request_id_belongs_to_that_request(stage: Any) -> None:
    stage.show("r1", "eve", "cat", "dog")
    stage.show("r2", "eve", "dog")
    stage.event("view", "eve", "dog", request_id="r1")
    assert joined_requests(stage) == [key_of("r1")]


def test_an_event_without_one_belongs_to_the_latest_impression_of_the_content(stage: Any) -> None:
    stage.show("r1", "eve", "cat", "dog")
    stage.show("r2", "eve", "dog")
    stage.show("r3", "eve", "sea")
    stage.event("view", "eve", "dog")
    stage.event("view", "eve", "cat")
    assert joined_requests(stage) == [key_of("r2"), key_of("r1")]


def test_a_request_that_showed_other_contents_or_was_another_persons_joins_nothing(stage: Any) -> None:
    stage.show("r1", "eve", "cat")
    stage.show("r2", "eve", "dog")
    stage.show("r3", "dan", "cat")
    stage.event("view", "eve", "dog", request_id="r1")
    stage.event("view", "eve", "cat", request_id="r3")
    stage.event("view", "eve", "cat", request_id="never heard of")
    assert stage.lessons() == [None, None, None]
    assert stage.joiner.statistics()["orphans"] == 3


def test_an_impression_is_open_for_the_horizon_and_not_longer(stage: Any) -> None:
    stage.show("r1", "eve", "cat", "dog")
    stage.wait(600)
    stage.event("view", "eve", "cat")
    stage.wait(0.5)
    stage.event("view", "eve", "dog")
    assert [lesson is not None for lesson in stage.lessons()] == [True, False]


def test_the_slate_before_serves_when_the_latest_of_a_content_never_showed_it(stage: Any) -> None:
    stage.show("r1", "eve", "cat")
    stage.wait(300)
    stage.show("r2", "eve", "dog")
    stage.wait(300)
    stage.show("r3", "eve", "sea")
    stage.event("like", "eve", "cat")
    stage.wait(1)
    stage.event("like", "eve", "cat")
    stage.event("like", "eve", "dog")
    assert [lesson is not None for lesson in stage.lessons()] == [True, False, True]


def test_over_the_limit_a_persons_oldest_impression_closes(new_stage: Any) -> None:
    stage = new_stage(max_open_per_user=1)
    stage.show("r1", "eve", "cat")
    stage.show("r2", "eve", "dog")
    stage.show("r3", "dan", "cat")
    stage.event("view", "eve", "cat")
    stage.event("view", "eve", "dog")
    stage.event("view", "dan", "cat")
    assert [lesson is not None for lesson in stage.lessons()] == [False, True, True]


def test_an_impression_published_twice_is_one(stage: Any) -> None:
    stage.show("r1", "eve", "cat")
    stage.event("view", "eve", "cat")
    stage.show("r1", "eve", "cat")
    stage.event("view", "eve", "cat")
    assert stage.lessons()[1] == {}
    assert stage.joiner.statistics()["open_impressions"] == 1


def test_a_joined_row_carries_what_was_served(stage: Any, make_impression: Any) -> None:
    shown = make_impression("r1", "eve", ["cat", "dog", "sea"], stage.now)
    stage.show("r1", "eve", "cat", "dog", "sea")
    stage.event("skip", "eve", "cat")
    stage.event("view", "eve", "sea", watch_duration=7.0)
    batch = stage.release().batch
    joined = batch.joined
    assert joined.rows.tolist() == [0, 1]
    assert joined.slate_positions.tolist() == [0, 2]
    np.testing.assert_array_equal(joined.propensities, shown["propensities"][[0, 2]])
    np.testing.assert_array_equal(joined.served_scores, shown["scores"][[0, 2]])
    np.testing.assert_array_equal(joined.engage_chances, shown["engage_chances"][[0, 2]])
    np.testing.assert_array_equal(joined.features.dense, shown["features"]["dense"][[0, 2]])
    np.testing.assert_array_equal(joined.features.counters, shown["features"]["counters"][[0, 2]])
    np.testing.assert_array_equal(joined.watch_seconds, np.array([0, 7], dtype=np.float32))
    assert joined.arms == ["treatment", "treatment"]
    assert joined.model_ids == ["two-tower", "two-tower"]
    assert joined.model_versions == ["born.7", "born.7"]
    assert batch.watch_seconds.tolist() == [0, 7]
    assert batch.creator_keys.tolist() == [key_of("ann"), key_of("bob")]
    assert batch.user_keys.tolist() == [key_of("eve")] * 2


def test_a_replayed_impression_has_the_features_of_the_moment_before_it(stage: Any) -> None:
    stage.show("r1", "eve", "cat", served=False)
    stage.event("view", "eve", "cat")
    stage.show("r2", "eve", "dog", served=False)
    stage.event("view", "eve", "dog")
    stage.event("like", "eve", "dog")
    features = stage.release().batch.joined.features
    assert features.dense[:, 0].tolist() == [0, 1, 1]
    assert features.bags["history"].lengths().tolist() == [0, 1, 1]
    assert features.counters is None


def test_the_words_of_a_comment_travel_with_its_row(stage: Any) -> None:
    stage.show("r1", "ada", "cat", "dog")
    stage.event("view", "ada", "cat")
    silent = stage.release().batch.joined
    stage.event("comment", "ada", "cat", comment_text="What an Endgame!")
    stage.event("view", "ada", "dog")
    stage.event("comment", "bob", "cat", comment_text="seen by nobody")
    joined = stage.release().batch.joined

    assert silent.comment_words is None
    assert joined.comment_words.lengths().tolist() == [3, 0], "an orphan teaches nothing"
    assert joined.comment_words.values.tolist() == keys_of(["what", "an", "endgame"]).tolist()


def test_of_a_long_comment_the_first_words_are_kept(stage: Any) -> None:
    stage.show("r1", "ada", "cat")
    stage.event("comment", "ada", "cat", comment_text="word " * 500)
    assert stage.release().batch.joined.comment_words.lengths().tolist() == [MAX_COMMENT_WORDS]
