"""The simulated world: repeatable, with strong tastes that popularity alone does not serve."""

import numpy as np
import pytest

from simulations.behaviour import Viewer
from simulations.policies import FeedPolicy, OracleFeed, PopularFeed, RandomFeed
from simulations.world import World, WorldSettings

SMALL = WorldSettings(num_people=60, num_contents=1_200, num_creators=80, seed=3)


@pytest.fixture(scope="module")
def world() -> World:
    return World(SMALL)


def engagement(world: World, policy: FeedPolicy, rounds: int = 8, limit: int = 10) -> float:
    viewers = [Viewer(world, person) for person in range(len(world.people))]
    shares = []
    for turn in range(rounds):
        for viewer in viewers:
            if turn % 4 == 0:
                viewer.start_session()
            contents = policy.feed(viewer, limit)
            slate = viewer.watch(contents, now=1_000.0)
            policy.learn(contents, slate.viewed)
            shares.append(slate.viewed.mean())
    return float(np.mean(shares))


def test_the_same_settings_give_the_same_world() -> None:
    first, second = World(SMALL), World(SMALL)
    contents = np.arange(len(first.contents))
    np.testing.assert_array_equal(
        first.true_engagement_probability(7, contents), second.true_engagement_probability(7, contents)
    )
    assert first.catalogue(1_000_000.0) == second.catalogue(1_000_000.0)
    other = World(SMALL.model_copy(update={"seed": 4}))
    assert other.catalogue(1_000_000.0) != first.catalogue(1_000_000.0)


def test_a_random_feed_is_poor_an_oracle_is_good_and_popularity_leaves_room(world: World) -> None:
    by_chance = engagement(world, RandomFeed(world, seed=1))
    popular = engagement(world, PopularFeed(world, seed=1))
    oracle = engagement(world, OracleFeed(world))
    assert 0.30 < by_chance < 0.40
    assert by_chance + 0.02 < popular < 0.55
    assert oracle > 0.8


def test_a_person_likes_two_to_four_topics_strongly(world: World) -> None:
    strong = (world.people.topic_tastes > 0.5).sum(axis=1)
    assert strong.min() >= 2
    assert strong.max() <= 4


def test_tastes_differ_between_people(world: World) -> None:
    contents = np.arange(len(world.contents))
    chances = np.array([world.true_engagement_probability(person, contents) for person in range(20)])
    correlation = np.corrcoef(chances)
    assert np.median(correlation[np.triu_indices(20, 1)]) < 0.4


def test_facts_name_the_topic_and_mostly_right_tags_but_nothing_hidden(world: World) -> None:
    facts = world.catalogue(1_000_000.0)
    tags = [(content.metadata.category, tag) for content in facts for tag in content.metadata.tags]
    right = np.mean([tag.startswith(f"{category}-") for category, tag in tags])
    assert 0.7 < right < 0.95
    assert all(content.upload_timestamp < 1_000_000.0 for content in facts)
    assert all(content.metadata.visual_features == () for content in facts)
    assert world.contents.index_of(facts[17].content_id) == 17


def test_few_creators_publish_most_contents(world: World) -> None:
    counts = np.sort(np.bincount(world.contents.creators, minlength=SMALL.num_creators))[::-1]
    assert counts[: SMALL.num_creators // 5].sum() > 0.4 * counts.sum()


def test_a_feed_never_serves_a_content_twice_and_ends_when_all_were_served() -> None:
    small = World(SMALL.model_copy(update={"num_contents": 25}))
    for policy in (RandomFeed(small, seed=1), PopularFeed(small, seed=1), OracleFeed(small)):
        viewer = Viewer(small, 0)
        slates = [policy.feed(viewer, 10) for _ in range(4)]
        assert [len(slate) for slate in slates] == [10, 10, 5, 0]
        assert len(np.unique(np.concatenate(slates))) == 25
        assert len(policy.feed(Viewer(small, 1), 10)) == 10


def test_the_popular_feed_shows_what_its_own_people_viewed(world: World) -> None:
    feed = PopularFeed(world, seed=1)
    for _ in range(5):
        feed.learn(np.array([4, 9]), np.array([True, False]))
    assert feed.feed(Viewer(world, 0), 3)[0] == 4
    assert 9 not in feed.feed(Viewer(world, 1), 500)
