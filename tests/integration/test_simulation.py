"""Policies on paired worlds: the same luck, ordered as they must be, repeatable to the last byte."""

from pathlib import Path

import numpy as np
import pytest

from foryou.simulate_command import SimulationError, hours_of, run_simulate_command
from learners.user_state import UserState
from serve_app.pipeline.ranking_request import FeedRequest
from simulations.arm_record import CURVES
from simulations.behaviour import Viewer
from simulations.copies import WITHOUT_BOTS
from simulations.paired_runs import run_copy
from simulations.presets import PRESETS
from simulations.simulated_feeds import feed_of, names_of
from simulations.simulation import SYSTEM_SETTINGS, SimulationResult, simulate
from simulations.simulation_measures import Estimate
from simulations.simulation_plots import save_simulation_plots
from simulations.tag_likes import TagLikesFeed
from simulations.world import World

DRIFT = PRESETS["drift"].with_size(people=24).model_copy(update={"hours": 12.0})


@pytest.fixture(scope="module")
def cheap() -> SimulationResult:
    return simulate(DRIFT, against=["popular", "tags"], seeds=(0, 1))


def test_tags_beat_popularity_and_the_oracle_everybody(cheap: SimulationResult) -> None:
    gaps = {name: estimate.mean for name, estimate in cheap.gaps().items()}
    assert gaps["random"] == 0
    assert gaps["oracle"] == 1
    assert gaps["popular"] < gaps["tags"] < 0.6


def test_a_better_feed_is_watched_longer_and_come_back_to(cheap: SimulationResult) -> None:
    report = cheap.report()
    for key in ("watch_minutes", "sessions"):
        assert report[key]["oracle"] > report[key]["random"]


def test_the_report_has_every_policy_and_its_interval(cheap: SimulationResult) -> None:
    report = cheap.report()
    assert set(report["gap_closed"]) == {"random", "popular", "tags", "oracle"}
    low, high = report["gap_closed_interval"]["tags"]
    assert low <= report["gap_closed"]["tags"] <= high
    assert set(report["recovery_interactions"]) == set(report["gap_closed"])
    for name in cheap.names:
        for quantity in CURVES:
            hours, mean, error = cheap.curve(name, quantity)
            assert len(hours) == len(mean) == len(error)
            assert np.nanmin(mean) >= -0.05


def test_the_system_learns_in_its_copy_and_the_oracle_regrets_least() -> None:
    preset = PRESETS["steady"].with_size(people=12)
    result = simulate(preset, against=["online"], max_interactions=800)
    report = result.report()
    assert report["interactions"]["online"] >= 800
    first, last = (
        np.array(result.records[0]["online"].slates)[part] for part in (slice(20), slice(-20, None))
    )
    assert last[:, 2].sum() / last[:, 1].sum() > first[:, 2].sum() / first[:, 1].sum()
    regrets = {name: np.nanmean(result.curve(name, "regret")[1]) for name in result.names}
    assert regrets["oracle"] < regrets["random"]


def test_between_two_refits_the_weights_that_serve_stand_still_and_counters_move() -> None:
    preset = PRESETS["steady"].with_size(people=12)
    world = World(preset.world)
    feed = feed_of("frozen-5h", world, SYSTEM_SETTINGS)
    run_copy(preset, world, feed, max_interactions=60)
    before = dict(feed.system.replica.dense)
    run_copy(preset, World(preset.world), feed, max_interactions=10)
    for name, weights in before.items():
        np.testing.assert_array_equal(feed.system.replica.dense[name], weights)
    assert feed.system.replica.statistics()["counters"] > 0


def test_bots_are_not_counted_and_their_effect_is_measured() -> None:
    preset = PRESETS["adversarial"].with_size(people=100).model_copy(update={"hours": 4.0})
    result = simulate(preset, against=["online"], max_interactions=150)
    assert WITHOUT_BOTS in result.records[0]
    assert result.report()["bot_effect"]["online"] is not None
    num_honest = 100 - result.worlds[0].num_bots
    assert not result.records[0]["online"].visited[:, num_honest:].any()


def test_pictures_show_what_a_world_was_made_for(cheap: SimulationResult, tmp_path: Path) -> None:
    cold = PRESETS["cold-start"].with_size(people=24).model_copy(update={"hours": 10.0})
    of_cold = simulate(cold, against=["popular"])
    pictures = save_simulation_plots(of_cold, tmp_path / "cold-start")
    assert {"suppressed.png", "engagement.png"} <= set(pictures)
    assert {"recovery.png", "after_jump.png"} <= set(save_simulation_plots(cheap, tmp_path / "drift"))
    held, free = np.split(of_cold.curve_of("oracle", lambda record: record.share_of_topics(2))[1], [38])
    assert np.nanmean(held) < np.nanmean(free)


def test_until_a_batch_feed_is_refitted_it_hears_of_nothing_but_what_was_served() -> None:
    preset = PRESETS["steady"].with_size(people=12)
    world = World(preset.world)
    feed = feed_of("batch-5h", world, SYSTEM_SETTINGS)
    run_copy(preset, world, feed, max_interactions=60)
    system = feed.system
    person = next(user for user in world.people.ids if user in system.streams.states)
    request = system.request(FeedRequest(user_id=person, limit=10), now=0.0)
    assert len(request.served) > 0
    assert request.state.num_contents == 0
    assert UserState.from_bytes(system.streams.states[person][0]).num_contents > 0
    assert system.replica.statistics()["counters"] == 0


def test_frozen_and_batch_stand_for_three_intervals_and_unknown_names_are_refused() -> None:
    assert names_of(("frozen",)) == ("random", "frozen-5min", "frozen-30min", "frozen-5h", "oracle")
    assert names_of(("batch",)) == ("random", "batch-5min", "batch-30min", "batch-5h", "oracle")
    with pytest.raises(ValueError, match="psychic"):
        names_of(("psychic",))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"preset": "paradise"}, "known are steady"),
        ({"preset": "drift", "duration": "soon"}, "--for"),
        ({"preset": "drift", "against": "psychic"}, "psychic"),
        ({"preset": "drift", "against": " , "}, "--against names no policy"),
        ({"preset": "drift", "seed": -1}, "--seed"),
        ({"preset": "drift", "report": Path(__file__) / "x"}, "--report .*Not a directory"),
        ({"preset": "drift", "seeds": 0}, "--seeds"),
        ({"preset": "drift", "people": 0}, "--people"),
        ({"preset": "drift", "against": "random", "record": Path("x")}, "need the policy online"),
    ],
)
def test_what_cannot_be_run_is_said(arguments: dict, message: str) -> None:
    with pytest.raises(SimulationError, match=message):
        run_simulate_command(**arguments)


def test_durations_are_read() -> None:
    assert [hours_of(text) for text in ("24h", "90min", "2d", "6", "1800s")] == [24, 1.5, 48, 6, 0.5]


def test_an_interval_over_seeds_is_students() -> None:
    estimate = Estimate.of([1.0, 2.0, 3.0])
    assert estimate.mean == 2
    assert estimate.high == pytest.approx(2 + 4.3027 / 3**0.5, abs=1e-3)
    assert Estimate.of([1.0]) == Estimate(1.0, None, None)
    assert Estimate.of([float("nan")]).mean is None


def test_tags_a_person_liked_come_first() -> None:
    world = World(DRIFT.world)
    feed = TagLikesFeed(world, seed=1)
    viewer = Viewer(world, 3)
    for _ in range(12):
        contents = feed.feed(viewer, 10)
        feed.learn_of(viewer, contents, viewer.watch(contents, 1e9))
    liked = world.true_engagement_probability(3, feed.feed(viewer, 10)).mean()
    assert liked > world.true_engagement_probability(3, np.arange(500)).mean() + 0.05
