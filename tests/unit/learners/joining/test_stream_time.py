"""Time is the stream's; duplicates, lateness and releases live by it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from messages.feed import FeedMessage


def test_an_event_ahead_of_the_stream_is_moved_to_now_and_one_with_a_broken_clock_up_to_a_day_ago(
    stage: Any,
) -> None:
    stage.event("view", "eve", "cat", timestamp=stage.now + 5_000)
    stage.event("view", "eve", "cat", timestamp=86_400.0)
    stage.event("view", "eve", "cat", timestamp=stage.now - 30)
    batch = stage.release().batch
    assert (batch.times - stage.now).tolist() == [0, -86_400, -30]
    assert stage.joiner.statistics()["late"] == 1


def test_a_replays_clock_is_the_logs(stage: Any) -> None:
    record = {
        "event_type": "like", "event_id": "e", "timestamp": 1_000.0, "user_id": "eve", "content_id": "cat"
    }  # fmt: skip
    message = FeedMessage([("event", record)], log_time=2_000.0)
    stage.joiner.load_users({"eve": (None, None)})
    stage.joiner.accept(message, position=1, append_time=stage.now)
    release = stage.release()
    assert release.watermark == 2_000.0
    assert release.batch.times.tolist() == [1_000.0]


def test_stream_time_never_goes_back(stage: Any) -> None:
    stage.event("view", "eve", "cat")
    stage.now -= 100
    stage.event("view", "eve", "cat", timestamp=stage.now + 50)
    release = stage.release()
    assert release.watermark == stage.now + 100
    assert release.batch.times[1] == stage.now + 50


def test_an_event_repeated_within_the_horizon_is_dropped_even_if_the_first_was_long_ago(stage: Any) -> None:
    for _ in range(5):
        stage.event("like", "eve", "cat", event_id="same")
        stage.wait(400)
    stage.wait(201)
    stage.event("like", "eve", "cat", event_id="same")
    assert len(stage.release().batch) == 2
    assert stage.joiner.statistics()["duplicates"] == 4


def test_one_event_id_from_two_people_is_two_events(stage: Any) -> None:
    stage.event("like", "eve", "cat", event_id="same")
    stage.event("like", "dan", "cat", event_id="same")
    assert len(stage.release().batch) == 2


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0, 1, 250, 600, 601])), max_size=30))
def test_exactly_the_duplicates_are_dropped(new_stage: Any, course: list[tuple[int, int]]) -> None:
    stage = new_stage()
    last_seen: dict[int, float] = {}
    expected = []
    for name, seconds in course:
        stage.wait(seconds)
        stage.event("like", "eve", "cat", event_id=f"id{name}", timestamp=stage.now)
        if not (name in last_seen and stage.now - last_seen[name] <= 600):
            expected.append(stage.now)
        last_seen[name] = stage.now
    release = stage.joiner.release()
    assert (release.batch.times.tolist() if release else []) == expected


def test_a_release_covers_what_was_accepted_since_the_last(stage: Any) -> None:
    assert stage.joiner.release() is None
    stage.event("view", "eve", "cat")
    stage.event("view", "dan", "cat")
    release = stage.release()
    assert (len(release.batch), release.feed_position, set(release.states)) == (2, 2, {"eve", "dan"})
    assert stage.joiner.release() is None
    stage.show("r1", "eve", "cat")
    quiet = stage.release()
    assert (len(quiet.batch), quiet.feed_position, quiet.states) == (0, 3, {})
    assert quiet.header(previous=9).previous == 9


def test_replay_from_reaches_back_to_the_oldest_impression_open_at_the_release_before(stage: Any) -> None:
    stage.event("view", "eve", "cat")
    assert stage.release().replay_from == 1
    stage.show("r1", "eve", "cat")
    stage.wait(300)
    stage.show("r2", "eve", "dog")
    stage.event("view", "eve", "cat")
    assert stage.release().replay_from == 1
    stage.wait(301)
    stage.event("view", "eve", "dog")
    assert stage.release().replay_from == 2
    stage.event("like", "eve", "dog")
    assert stage.release().replay_from == 3


def test_an_upload_is_a_row_of_its_creator_with_its_facts(stage: Any) -> None:
    upload = {
        "event_type": "content_upload",
        "timestamp": stage.now,
        "creator_id": "ann",
        "content_id": "new",
        "metadata": {"category": "pets", "tags": ["a"], "duration": 12, "description": "Two #cats"},
    }
    stage.send(("event", upload))
    stage.send(("event", upload))
    batch = stage.release().batch
    assert (len(batch), batch.user_keys.tolist()) == (1, [0])
    assert batch.uploads.contents.content_ids == ["new"]
    assert batch.uploads.contents.categories == ["pets"]
    assert len(batch.uploads.text_keys.values) == 2
    assert batch.content_keys[0] == batch.uploads.contents.content_keys[0]


def test_idle_people_are_forgotten_once_their_state_is_surely_stored(stage: Any) -> None:
    stage.event("view", "eve", "cat")
    stage.release()
    stage.wait(601)
    stage.event("view", "dan", "cat")
    stage.release()
    stage.wait(601)
    stage.event("view", "fay", "cat")
    stage.release()
    assert stage.joiner.missing_users(
        FeedMessage(
            [
                ("event", {"event_type": "like", "event_id": "x", "timestamp": 1.0, "user_id": user,
                           "content_id": "cat"})
                for user in ("eve", "dan", "fay")
            ]
        )
    ) == ["eve", "dan"]  # fmt: skip


def test_people_loaded_for_messages_that_still_wait_are_kept(stage: Any) -> None:
    stage.event("view", "fay", "cat")

    def like(user_id: str, time: float) -> FeedMessage:
        event = {
            "event_type": "like", "event_id": "x", "timestamp": 1.0, "user_id": user_id, "content_id": "cat"
        }  # fmt: skip
        return FeedMessage([("event", event)], log_time=stage.now + time)

    messages = [like("eve", 10_000), like("eve", 20_000), like("eve", 30_000), like("dan", 40_000)]
    missing = {user for message in messages for user in stage.joiner.missing_users(message)}
    stage.joiner.load_users(dict.fromkeys(missing, (None, None)))
    for position, message in enumerate(messages, 2):
        assert stage.joiner.accept(message, position=position, append_time=0.0) == []
        assert stage.joiner.release() is not None
