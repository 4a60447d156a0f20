"""What each course of events teaches the model's heads."""

from __future__ import annotations

from typing import Any

import pytest

UNDECIDED_HEADS = ("like", "comment", "share", "follow", "save", "negative")
PROVISIONAL = dict.fromkeys(UNDECIDED_HEADS, "PROVISIONAL_NEGATIVE")
POSITIVE = "OBSERVED_POSITIVE"
NEGATIVE = "OBSERVED_NEGATIVE"


def test_a_view_closes_the_example_and_says_no_to_what_has_not_come(stage: Any) -> None:
    stage.show("r1", "eve", "dog")
    stage.event("view", "eve", "dog", watch_duration=5.0)
    assert stage.lessons() == [
        {"engage": POSITIVE, "long_view": NEGATIVE, "complete": NEGATIVE, **PROVISIONAL}
    ]


def test_a_skip_is_a_no_to_everything(stage: Any) -> None:
    stage.show("r1", "eve", "dog")
    stage.event("skip", "eve", "dog")
    assert stage.lessons() == [
        {"engage": NEGATIVE, "long_view": NEGATIVE, "complete": NEGATIVE, **PROVISIONAL}
    ]


def test_a_complete_view_is_engaged_long_and_complete(stage: Any) -> None:
    stage.show("r1", "eve", "dog")
    stage.event("complete_view", "eve", "dog")
    assert stage.lessons() == [
        {"engage": POSITIVE, "long_view": POSITIVE, "complete": POSITIVE, **PROVISIONAL}
    ]


@pytest.mark.parametrize(
    ("content", "watched", "long_view", "complete"),
    [
        ("dog", 17.9, NEGATIVE, NEGATIVE),  # 100 s long: a long view takes 18 s
        ("dog", 18.0, POSITIVE, NEGATIVE),
        ("dog", 95.0, POSITIVE, POSITIVE),
        ("cat", 9.4, NEGATIVE, NEGATIVE),  # 10 s long: a long view takes all of it
        ("cat", 9.6, NEGATIVE, POSITIVE),
        ("cat", 10.0, POSITIVE, POSITIVE),
        ("sky", 20.0, POSITIVE, NEGATIVE),  # 0 s long: the log does not know how long
        ("jam", 17.0, NEGATIVE, NEGATIVE),  # no duration
    ],
)
def test_how_long_a_view_must_be(
    stage: Any, content: str, watched: float, long_view: str, complete: str
) -> None:
    stage.show("r1", "eve", content)
    stage.event("view", "eve", content, watch_duration=watched)
    (lesson,) = stage.lessons()
    assert (lesson["long_view"], lesson["complete"]) == (long_view, complete)


def test_the_logs_own_long_view_goes_before_the_rule(stage: Any) -> None:
    stage.show("r1", "eve", "dog", "cat")
    stage.event("skip", "eve", "dog", watch_duration=1.0, long_view=True)
    stage.event("view", "eve", "cat", watch_duration=10.0, long_view=False)
    first, second = stage.lessons()
    assert (first["engage"], first["long_view"]) == (NEGATIVE, POSITIVE)
    assert (second["engage"], second["long_view"]) == (POSITIVE, NEGATIVE)


@pytest.mark.parametrize(
    ("event_type", "head"),
    [
        ("like", "like"),
        ("comment", "comment"),
        ("share", "share"),
        ("save", "save"),
        ("hide", "negative"),
        ("report", "negative"),
    ],
)
def test_an_engagement_is_early_before_the_end_of_the_view_and_late_after(
    stage: Any, event_type: str, head: str
) -> None:
    stage.show("r1", "eve", "dog", "sea")
    stage.event(event_type, "eve", "dog")
    stage.event("view", "eve", "dog")
    stage.event("view", "eve", "sea")
    stage.event(event_type, "eve", "sea")
    early, first_view, second_view, late = stage.lessons()
    assert early == {head: "EARLY_POSITIVE"}
    assert head not in first_view
    assert second_view[head] == "PROVISIONAL_NEGATIVE"
    assert late == {head: "LATE_POSITIVE"}


def test_a_follow_belongs_to_the_latest_impression_of_the_creator(stage: Any, make_impression: Any) -> None:
    stage.show("r1", "eve", "cat", "sea")
    stage.show("r2", "eve", "jam", "dog")
    stage.event("follow", "eve", creator_id="ann")
    batch = stage.release().batch
    assert batch.joined.slate_positions.tolist() == [1]
    assert batch.content_keys[0] == batch.joined.features.ids["content"][0]


def test_a_follow_means_the_content_of_the_creator_that_was_watched_last(stage: Any) -> None:
    stage.show("r1", "eve", "cat", "dog")
    stage.event("view", "eve", "dog")
    stage.event("follow", "eve", creator_id="ann")
    batch = stage.release().batch
    assert batch.joined.slate_positions.tolist() == [1, 1]
    assert batch.content_keys[0] == batch.content_keys[1]


def test_a_follow_without_impression_has_no_content(stage: Any) -> None:
    stage.event("follow", "eve", creator_id="ann")
    batch = stage.release().batch
    assert batch.joined is None
    assert batch.content_keys.tolist() == [0]
    assert batch.creator_keys[0] != 0


def test_a_second_like_and_a_second_view_teach_nothing(stage: Any) -> None:
    stage.show("r1", "eve", "dog")
    stage.event("like", "eve", "dog")
    stage.event("like", "eve", "dog")
    stage.event("skip", "eve", "dog")
    stage.event("view", "eve", "dog")
    stage.event("like", "eve", "dog")
    lessons = stage.lessons()
    assert lessons[1] == {}
    assert lessons[3:] == [{}, {}]


def test_a_replay_and_an_unfollow_are_rows_that_teach_nothing(stage: Any) -> None:
    stage.show("r1", "eve", "dog")
    stage.event("replay", "eve", "dog")
    stage.event("unfollow", "eve", creator_id="ann")
    assert stage.lessons() == [{}, {}]


def test_a_complete_view_after_a_view_is_a_late_positive_for_complete_alone(stage: Any) -> None:
    stage.show("r1", "eve", "dog")
    stage.event("view", "eve", "dog", watch_duration=50.0)
    stage.event("complete_view", "eve", "dog")
    stage.event("complete_view", "eve", "dog")
    assert stage.lessons()[1:] == [{"complete": "LATE_POSITIVE"}, {}]


def test_a_complete_view_after_a_view_to_the_end_teaches_nothing_new(stage: Any) -> None:
    stage.show("r1", "eve", "dog")
    stage.event("view", "eve", "dog", watch_duration=99.0)
    stage.event("complete_view", "eve", "dog")
    assert stage.lessons()[1] == {}


def test_an_impression_that_hears_nothing_is_no_example(stage: Any) -> None:
    stage.show("r1", "eve", "dog", "cat")
    stage.wait(10_000)
    stage.show("r2", "eve", "sea")
    assert stage.lessons() == []


def test_the_same_content_in_a_second_slate_teaches_again(stage: Any) -> None:
    stage.show("r1", "eve", "dog")
    stage.event("view", "eve", "dog")
    stage.show("r2", "eve", "dog")
    stage.event("like", "eve", "dog")
    stage.event("view", "eve", "dog")
    _, like, view = stage.lessons()
    assert like == {"like": "EARLY_POSITIVE"}
    assert view["engage"] == POSITIVE
