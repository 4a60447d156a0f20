"""The whole loop in one process: upload, feed, events, learning, sync."""

import numpy as np
import pytest

from learners.features.schema import USER_SLOT
from learners.joiner import JoinerSettings
from messages.content import ContentFacts
from messages.events import ContentMetadata, InvalidEventError
from messages.identifiers import key_of, keys_of
from messages.updates import COUNTER_TOTAL_INDEX
from simulations.in_process import InProcessSettings, InProcessSystem, ServedFeed

NOW = 1_700_000_000.0
SETTINGS = InProcessSettings(joiner=JoinerSettings(num_partitions=4))


def content(number: int) -> ContentFacts:
    category = "music" if number % 2 else "pets"
    metadata = ContentMetadata(category=category, tags=(f"{category}-1",), duration=20.0)
    return ContentFacts(f"c{number}", f"creator{number % 5}", NOW - 100.0 - number, metadata)


def system_with(num_contents: int, *, learning: bool = True) -> InProcessSystem:
    system = InProcessSystem(SETTINGS, learning=learning)
    for number in range(num_contents):
        system.put_content(content(number), NOW)
    system.advance(NOW)
    return system


def view(feed: ServedFeed, user_id: str, place: int, now: float) -> dict:
    return {
        "event_type": "view",
        "user_id": user_id,
        "content_id": feed.content_ids[place],
        "request_id": feed.request_id,
        "timestamp": now,
        "watch_duration": 19.0,
    }


def test_an_upload_is_served_after_the_next_advance() -> None:
    system = InProcessSystem(SETTINGS)
    assert system.feed("ada", 3, NOW).content_ids == []
    system.put_content(content(1), NOW)
    assert system.feed("ada", 3, NOW).content_ids == []
    system.advance(NOW)
    assert system.feed("ada", 3, NOW).content_ids == ["c1"]


def test_nothing_is_served_to_a_person_twice() -> None:
    system = system_with(25)
    served = [name for _ in range(4) for name in system.feed("ada", 10, NOW).content_ids]
    assert sorted(served) == sorted(f"c{number}" for number in range(25))
    assert len(system.feed("grace", 10, NOW).content_ids) == 10


def test_an_event_is_joined_learned_and_served_by_the_next_version() -> None:
    system = system_with(30)
    feed = system.feed("ada", 5, NOW)
    positions = system.post([view(feed, "ada", 0, NOW + 1)], NOW + 1)
    [(partition, position)] = positions.items()
    assert system.replica.positions[partition].feed < position
    assert system.advance(NOW + 1) == 1
    assert system.streams.statistics()["joined"] == 1
    assert system.replica.positions[partition].feed == position
    later = system.feed("ada", 5, NOW + 2)
    assert later.model_version != feed.model_version
    watched = system.replica.counters_of(keys_of([feed.content_ids[0]]))
    assert watched.totals[0, COUNTER_TOTAL_INDEX["views"]] == 1


def test_an_event_that_comes_twice_is_learned_once() -> None:
    system = system_with(10)
    event = view(system.feed("ada", 5, NOW), "ada", 0, NOW)
    system.post([event, event], NOW)
    system.post([event], NOW)
    assert system.advance(NOW) == 1


def test_a_batch_with_a_malformed_event_is_refused_whole() -> None:
    system = system_with(10)
    event = view(system.feed("ada", 5, NOW), "ada", 0, NOW)
    with pytest.raises(InvalidEventError, match="watch_duration"):
        system.post([event, {**event, "watch_duration": -1}], NOW)
    assert system.advance(NOW) == 0


def test_learning_moves_the_weights_and_the_person() -> None:
    system = system_with(30)
    before = {name: weights.copy() for name, weights in system.replica.dense.items()}
    feed = system.feed("ada", 10, NOW)
    system.post([view(feed, "ada", place, NOW) for place in range(10)], NOW)
    system.advance(NOW)
    assert any((system.replica.dense[name] != before[name]).any() for name in before)
    own = system.feed("ada", 1, NOW)
    assert own.content_ids
    initial = system.replica.rows(USER_SLOT, np.array([key_of("ada")], dtype=np.uint64))[0]
    assert (system.user_rows(key_of("ada"))[USER_SLOT] != initial).any()


def test_without_learning_the_weights_stay_and_counters_and_states_move() -> None:
    system = system_with(30, learning=False)
    before = {name: weights.copy() for name, weights in system.replica.dense.items()}
    feed = system.feed("ada", 10, NOW)
    positions = system.post([view(feed, "ada", place, NOW) for place in range(10)], NOW)
    system.advance(NOW)
    for name, weights in before.items():
        np.testing.assert_array_equal(system.replica.dense[name], weights)
    assert system.user_rows(key_of("ada")) == {}
    counters = system.replica.counters_of(keys_of(feed.content_ids))
    assert counters.totals[:, COUNTER_TOTAL_INDEX["views"]].tolist() == [1] * 10
    assert "ada" in system.streams.states
    for partition, position in positions.items():
        assert system.replica.positions[partition].feed == position


def test_the_same_seed_and_events_give_the_same_feeds() -> None:
    def run() -> list[list[str]]:
        system = system_with(40)
        feeds = []
        for turn in range(5):
            feed = system.feed("ada", 5, NOW + turn)
            system.post([view(feed, "ada", 0, NOW + turn)], NOW + turn)
            system.advance(NOW + turn)
            feeds.append(feed.content_ids)
        return feeds

    assert run() == run()
