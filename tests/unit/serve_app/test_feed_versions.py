"""A person's feeds never go back a version, whichever of several replicas answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np

from messages.updates import ModelDelta
from serve_app.delta_follower import DeltaFollower, DeltaFollowerSettings
from serve_app.feed_service import FeedService, FeedServiceSettings
from serve_app.pipeline.default_pipeline import PipelineSettings, build_pipeline
from serve_app.pipeline.ranking_request import FeedRequest
from serve_app.serving_metrics import ServingMetrics
from tests.fakes import (
    NOW,
    FakeCatalogue,
    FakeFeedPublisher,
    FakeModelChanges,
    FakeUserStore,
    KnownModel,
    content,
    delta,
    replica_of,
)

CONTENTS = [content(f"c{index}") for index in range(40)]
SECOND = delta(2, previous=1)
THIRD = delta(3, previous=2)


class Replica:
    """One replica of several: a store shared with the others, a model followed apart."""

    def __init__(
        self,
        store: FakeUserStore,
        script: Sequence[list[ModelDelta] | Exception] = (),
        catch_up_seconds: float = 20.0,
    ) -> None:
        self.replica = replica_of(CONTENTS)
        self.metrics = ServingMetrics()
        self.follower = DeltaFollower(
            FakeModelChanges(script),
            self.replica,
            DeltaFollowerSettings(),
            clock=lambda: NOW + 9,
            metrics=self.metrics,
        )
        self.service = FeedService(
            user_store=store,
            catalogue=FakeCatalogue(),
            feed_publisher=FakeFeedPublisher(4),
            replica=self.replica,
            pipeline=build_pipeline(PipelineSettings(learned_order_only=True), self.replica, KnownModel()),
            clock=lambda: NOW + 9,
            generator=np.random.default_rng(0),
            num_partitions=4,
            settings=FeedServiceSettings(catch_up_seconds=catch_up_seconds),
            metrics=self.metrics,
            follower=self.follower,
        )

    async def feed(self, user: str = "ada", limit: int = 5) -> dict[str, Any]:
        return await self.service.feed(FeedRequest(user, limit))


def test_a_replica_that_is_behind_waits_for_what_its_person_was_shown_elsewhere() -> None:
    store = FakeUserStore()
    ahead, behind = Replica(store, [[SECOND, THIRD]]), Replica(store, [[SECOND], [THIRD]])

    async def run() -> tuple[list[str], bool, str]:
        await ahead.follower.follow_once()
        versions = [(await ahead.feed())["model"]["version"]]
        waiting = asyncio.create_task(behind.feed())
        somebody_else = (await behind.feed("bob"))["model"]["version"]
        await behind.follower.follow_once()
        for _ in range(20):
            await asyncio.sleep(0)
        waited = not waiting.done()
        await behind.follower.follow_once()
        versions.append((await waiting)["model"]["version"])
        return versions, waited, somebody_else

    versions, waited, somebody_else = asyncio.run(run())

    assert versions == ["a.3", "a.3"]
    assert waited
    assert somebody_else == "a.1"


def test_with_the_model_lost_it_serves_on_and_says_how_old_and_how_far_behind() -> None:
    store = FakeUserStore()
    ahead = Replica(store, [[SECOND]])
    behind = Replica(store, [ConnectionError("lost"), [SECOND]], catch_up_seconds=0)

    async def run() -> list[dict[str, Any]]:
        await ahead.follower.follow_once()
        await behind.follower.follow_once()
        answers = [await ahead.feed(), await behind.feed()]
        await behind.follower.follow_once()
        return [*answers, await behind.feed()]

    before, without_model, caught_up = asyncio.run(run())

    assert before["model"] == {"id": "fake", "version": "a.2"}
    assert without_model["model"] == {"id": "fake", "version": "a.1", "behind": "a.2"}
    assert without_model["items"]
    assert without_model["freshness_ms"] == 9_000
    assert behind.metrics.registry.get_sample_value("foryou_feeds_behind_total") == 1
    assert caught_up["model"] == {"id": "fake", "version": "a.2"}


def test_an_answer_without_contents_counts_as_shown_too() -> None:
    store = FakeUserStore()
    ahead, behind = Replica(store, [[SECOND]]), Replica(store, catch_up_seconds=0)

    async def run() -> dict[str, Any]:
        await ahead.feed(limit=40)
        await ahead.follower.follow_once()
        assert (await ahead.feed())["items"] == []
        return await behind.feed()

    assert asyncio.run(run())["model"]["behind"] == "a.2"
