"""Simulated people: their luck belongs to person and content, their events are valid, sameness bores them."""

import numpy as np
import pytest

from messages.events import parse_events
from simulations.behaviour import Viewer
from simulations.hashed_draws import to_normal, uniform_draws
from simulations.world import World, WorldSettings

NOW = 1_700_000_000.0


@pytest.fixture(scope="module")
def world() -> World:
    return World(WorldSettings(num_people=30, num_contents=600, num_creators=40, seed=5))


def of_topic(world: World, topic: int) -> np.ndarray:
    return np.flatnonzero(world.contents.topics == topic)


def test_draws_are_uniform_and_depend_on_everything_they_are_drawn_for() -> None:
    first = np.arange(20_000, dtype=np.uint64)
    draws = uniform_draws(1, np.array([1, 2], dtype=np.uint64), first, second=7)
    assert draws.shape == (2, 20_000)
    assert abs(draws.mean() - 0.5) < 0.01
    assert abs(np.corrcoef(draws)[0, 1]) < 0.02
    other = uniform_draws(1, np.array([1], dtype=np.uint64), first, second=8)[0]
    assert abs(np.corrcoef(draws[0], other)[0, 1]) < 0.02
    normal = to_normal(draws[0], draws[1])
    assert abs(normal.mean()) < 0.03
    assert abs(normal.std() - 1.0) < 0.03


def test_two_copies_of_a_person_do_the_same_with_the_same_slate(world: World) -> None:
    contents = np.array([3, 77, 140, 5])
    first, second = (Viewer(world, 4).watch(contents, NOW, "r1") for _ in range(2))
    assert first.events == second.events


def test_viewing_follows_the_true_probability(world: World) -> None:
    calm = World(world.settings.model_copy(update={"boredom": 0.0, "mood_deviation": 0.0}))
    contents = np.arange(len(calm.contents))
    viewed = np.concatenate([Viewer(calm, person).watch(contents, NOW).viewed for person in range(30)])
    chances = np.concatenate([calm.true_engagement_probability(person, contents) for person in range(30)])
    for low in (0.0, 0.2, 0.4, 0.6, 0.8):
        chosen = (chances >= low) & (chances < low + 0.2)
        assert abs(viewed[chosen].mean() - chances[chosen].mean()) < 0.03


def test_sameness_bores_until_the_next_session(world: World) -> None:
    viewer = Viewer(world, 0)
    topic = int(np.argmax(world.people.topic_tastes[0]))
    contents = of_topic(world, topic)
    before = viewer.logits(contents[-1:])[0]
    viewer.watch(contents[:10], NOW)
    bored = viewer.logits(contents[-1:])[0]
    assert bored < before - 0.5
    other = of_topic(world, (topic + 1) % 12)
    viewer.watch(other[:10], NOW)
    assert viewer.logits(contents[-1:])[0] > bored + 0.3
    viewer.start_session()
    assert viewer.logits(contents[-1:])[0] != pytest.approx(bored, abs=0.1)


def test_events_pass_validation_in_order_of_time(world: World) -> None:
    events = [
        event
        for person in range(30)
        for event in Viewer(world, person).watch(np.arange(200), NOW, f"request-{person}").events
    ]
    accepted, refused = parse_events(list(events))
    assert not refused
    assert {event["event_type"] for event in accepted} >= {"view", "complete_view", "skip", "like", "hide"}
    assert all(event["request_id"] for event in accepted)
    assert len({event["event_id"] for event in accepted}) == len(accepted)
    one = Viewer(world, 0).watch(np.arange(200), NOW).events
    times = [event["timestamp"] for event in one]
    assert times == sorted(times)
    assert times[-1] == NOW


def test_what_a_person_says_agrees_with_what_they_watched(world: World) -> None:
    contents = np.arange(300)
    slate = Viewer(world, 2).watch(contents, NOW)
    durations = world.contents.durations[contents]
    assert (slate.watch_seconds <= np.round(durations, 2) + 0.01).all()
    assert slate.watch_seconds[~slate.viewed].mean() < 2.0 < slate.watch_seconds[slate.viewed].mean()
    for event in slate.events:
        viewed = slate.viewed[world.contents.index_of(event["content_id"])]
        if event["event_type"] in ("view", "complete_view", "like", "comment", "share", "save", "follow"):
            assert viewed
        elif event["event_type"] in ("skip", "hide", "report"):
            assert not viewed


def test_a_creator_is_followed_once(world: World) -> None:
    viewer = Viewer(world, 1)
    events = viewer.watch(np.arange(600), NOW).events + viewer.watch(np.arange(600), NOW).events
    followed = [event["creator_id"] for event in events if event["event_type"] == "follow"]
    assert followed
    assert len(set(followed)) == len(followed)
