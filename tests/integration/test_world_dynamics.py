"""A world that changes: tastes drift and jump, trends pass, contents and people come later, bots act."""

import numpy as np
import pytest

from messages.events import parse_events
from simulations.attendance import Attendance, AttendanceSettings
from simulations.behaviour import Viewer
from simulations.bots import Bot, population
from simulations.dynamics import HOUR, DynamicsSettings
from simulations.policies import OracleFeed, RandomFeed
from simulations.presets import PRESETS
from simulations.world import World, WorldSettings


def world_with(dynamics: DynamicsSettings, **changes: object) -> World:
    size = {"num_people": 60, "num_contents": 500, "num_creators": 40, "seed": 5}
    return World(WorldSettings.model_validate({**size, "dynamics": dynamics, **changes}))


def test_without_dynamics_time_changes_nothing() -> None:
    world = world_with(DynamicsSettings())
    contents = np.arange(500)
    np.testing.assert_array_equal(
        world.true_logits(3, contents), world.true_logits(3, contents, time=20 * HOUR)
    )
    assert world.uploaded(0.0).all()


def test_tastes_drift_smoothly_away_from_where_they_began() -> None:
    world = world_with(DynamicsSettings(drift_deviation=0.5, drift_hours=12))
    base = world.people.topic_tastes

    def distance(hours: float) -> float:
        moved = [world.dynamics.tastes(person, base[person], hours * HOUR) for person in range(60)]
        return float(np.std(np.array(moved) - base))

    assert distance(0) == 0
    assert distance(0.1) < 0.15 < distance(3) < distance(12) < 1.2


def test_a_jump_shuffles_the_tastes_of_a_share_of_people_and_keeps_how_many_they_like() -> None:
    world = world_with(DynamicsSettings(jump_hours=(2.0, 5.0), jump_share=0.7))
    base = world.people.topic_tastes
    before, after, later = (
        np.array([world.dynamics.tastes(person, base[person], hours * HOUR) for person in range(60)])
        for hours in (1.9, 2.1, 5.1)
    )
    np.testing.assert_array_equal(before, base)
    jumped = (after != base).any(axis=1)
    assert 0.5 < jumped.mean() < 0.9
    np.testing.assert_allclose(np.sort(after, axis=1), np.sort(base, axis=1))
    assert (later != after).any()
    assert world.dynamics.num_jumps(5.1 * HOUR) == 2


def test_a_trend_rises_falls_and_lifts_only_contents_with_its_tag() -> None:
    world = world_with(DynamicsSettings(num_trends=1, trend_strength=2.0, trend_rise_hours=1.0))
    contents = np.arange(500)
    boosts = np.array([world.dynamics.boosts(contents, hour * HOUR) for hour in np.arange(0, 40, 0.25)])
    assert boosts.max() == pytest.approx(2.0, abs=0.1)
    assert boosts[0].max() == 0
    assert boosts[-1].max() < 0.01
    assert 0 < (boosts.max(axis=0) > 0).mean() < 0.2


def test_what_is_not_uploaded_yet_is_served_by_nobody() -> None:
    world = world_with(DynamicsSettings(uploaded_later=0.5, upload_hours=10))
    assert 0.4 < world.uploaded(0).mean() < 0.6
    for policy in (RandomFeed(world, seed=1), OracleFeed(world)):
        viewer = Viewer(world, 0)
        viewer.moment = 5 * HOUR
        assert world.uploaded(5 * HOUR)[policy.feed(viewer, 400)].all()


def test_a_suppressed_topic_becomes_as_dear_as_any_other() -> None:
    world = world_with(DynamicsSettings(suppressed_topics=1, suppressed_hours=3))
    held = np.flatnonzero(world.contents.topics == 0)
    np.testing.assert_allclose(
        world.true_logits(0, held, time=4 * HOUR) - world.true_logits(0, held, time=HOUR), 3.0
    )


def test_places_further_down_a_slate_are_viewed_less() -> None:
    settings = {"boredom": 0.0, "mood_deviation": 0.0}
    plain, biased = (world_with(DynamicsSettings(), position_bias=bias, **settings) for bias in (0.0, 0.5))
    contents = np.arange(400).reshape(20, 20)
    shares = [
        np.mean([Viewer(world, person).watch(row, 1e9).viewed for person in range(60) for row in contents], 0)
        for world in (plain, biased)
    ]
    assert shares[1][0] == shares[0][0]
    assert shares[1][10:].mean() < shares[0][10:].mean() - 0.1


def test_a_good_feed_keeps_people_longer_and_brings_them_back_sooner() -> None:
    def lived(pleasure: float) -> tuple[float, float]:
        slates, gaps = [], []
        for person in range(60):
            attendance = Attendance(AttendanceSettings(), seed=1, person=person, activity=1.0)
            for _ in range(10):
                started = attendance.num_slates
                while not attendance.leaves_after(pleasure):
                    pass
                slates.append(attendance.num_slates - started)
                gaps.append(attendance.gap_seconds())
        return float(np.mean(slates)), float(np.mean(gaps))

    long_session, short_gap = lived(0.7)
    short_session, long_gap = lived(0.1)
    assert long_session > 2 * short_session
    assert short_gap < 0.7 * long_gap


def test_bots_send_valid_events_for_their_aims() -> None:
    world = world_with(DynamicsSettings(), bot_share=0.05)
    people = population(world)
    bots = [viewer for viewer in people if isinstance(viewer, Bot)]
    assert len(bots) == world.num_bots == 3
    events = [event for bot in bots for event in bot.watch(np.arange(60), 1.7e9, "r").events]
    accepted, refused = parse_events(list(events))
    assert not refused
    assert {event["event_type"] for event in accepted} == {
        "complete_view", "skip", "like", "share", "hide", "report",
    }  # fmt: skip
    assert any("request_id" not in event for event in accepted)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_world_that_a_seed_repeats(name: str) -> None:
    preset = PRESETS[name].with_size(people=20, seed=4)
    first, second = World(preset.world), World(preset.world)
    contents = np.arange(len(first.contents))
    np.testing.assert_array_equal(
        first.true_logits(3, contents, 7 * HOUR), second.true_logits(3, contents, 7 * HOUR)
    )
    assert preset.name == name
    assert len(first.people) == 20
    assert World(PRESETS["adversarial"].world).num_bots == 2


def test_clicks_and_long_views_are_about_as_frequent_as_in_kuairand() -> None:
    """About 0.4 and 0.3 there, under a feed better than chance and far from the oracle."""
    world = World(PRESETS["steady"].with_size(people=60).world)
    rates = {}
    for name, policy in (("random", RandomFeed(world, seed=1)), ("oracle", OracleFeed(world))):
        clicks, long_views = [], []
        for person in range(60):
            viewer = Viewer(world, person)
            contents = policy.feed(viewer, 10)
            slate = viewer.watch(contents, 1e9)
            clicks.append(slate.viewed)
            enough = np.minimum(world.contents.durations[contents], 18.0)
            long_views.append(slate.viewed & (slate.watch_seconds >= enough))
        rates[name] = (np.mean(clicks), np.mean(long_views))
    assert rates["random"][0] < 0.4 < rates["oracle"][0]
    assert rates["random"][1] < 0.3 < rates["oracle"][1]
