"""One person's events cannot drown everybody else's."""

from __future__ import annotations

from typing import Any

from learners.counter_increments import counter_increments
from messages.identifiers import key_of


def test_over_the_cap_events_are_accepted_but_train_and_count_nothing(new_stage: Any) -> None:
    stage = new_stage(influence_cap=3)
    stage.show("r1", "eve", "cat", "dog", "sea")
    stage.event("view", "eve", "cat")
    stage.event("like", "eve", "cat")
    stage.event("replay", "eve", "cat")
    stage.event("view", "eve", "dog")
    stage.event("like", "eve", "sea")
    batch = stage.release().batch
    assert len(batch) == 5
    assert batch.joined is not None
    assert batch.joined.rows.tolist() == [0, 1, 2]
    assert counter_increments(batch).ids.tolist() == [key_of("cat")]
    statistics = stage.joiner.statistics()
    assert (statistics["events"], statistics["joined"], statistics["capped"]) == (5, 3, 2)


def test_everybody_has_a_cap_of_their_own_and_a_new_one_in_every_window(new_stage: Any) -> None:
    stage = new_stage(influence_cap=1, horizon_seconds=600.0)
    for user_id in ("eve", "dan"):
        stage.show(f"r-{user_id}", user_id, "cat")
        stage.event("view", user_id, "cat")
        stage.event("like", user_id, "cat")
    assert stage.joiner.statistics()["capped"] == 2
    stage.wait(601)
    stage.show("later", "eve", "cat")
    stage.event("like", "eve", "cat")
    assert stage.joiner.statistics()["capped"] == 2


def test_a_capped_event_still_changes_what_is_known_of_the_person(new_stage: Any) -> None:
    stage = new_stage(influence_cap=1)
    stage.show("r1", "eve", "cat", "dog")
    stage.event("view", "eve", "cat")
    stage.event("view", "eve", "dog")
    assert stage.joiner._people["eve"].state.history.tolist() == [key_of("cat"), key_of("dog")]


def test_what_was_capped_has_taught_nothing_so_the_next_window_may_still_learn_it(new_stage: Any) -> None:
    stage = new_stage(influence_cap=1)
    stage.wait(-(stage.now % 600) + 590)
    stage.show("r1", "eve", "cat", "dog")
    stage.event("view", "eve", "dog")
    stage.event("like", "eve", "cat")
    stage.wait(20)
    stage.event("like", "eve", "cat")
    assert [lesson is not None for lesson in stage.lessons()] == [True, False, True]


def test_the_count_survives_a_restart(new_stage: Any) -> None:
    stage = new_stage(influence_cap=2)
    stage.show("r1", "eve", "cat", "dog", "sea")
    stage.event("view", "eve", "cat")
    states = stage.release().states
    again = new_stage(influence_cap=2)
    again.joiner.load_users(states)
    again.show("r1", "eve", "cat", "dog", "sea")
    again.event("view", "eve", "dog", event_id="n1")
    again.event("view", "eve", "sea", event_id="n2")
    assert again.joiner.statistics()["capped"] == 1
