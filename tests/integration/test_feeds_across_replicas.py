"""Two replicas on one real store: what one has shown or an operator has changed, the other knows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np

from actors.catalogue import Catalogue
from actors.connections import Connections, EndpointSettings
from actors.user_store import UserStore
from actors.weight_store import WeightStore
from serve_app.delta_follower import DeltaFollower, DeltaFollowerSettings
from serve_app.feed_service import FeedService, FeedServiceSettings
from serve_app.operator_changes import OperatorChanges
from serve_app.pipeline.default_pipeline import PipelineSettings, build_pipeline
from serve_app.pipeline.ranking_request import FeedRequest
from serve_app.pipeline.signal_weights import SignalWeights
from serve_app.serving_metrics import ServingMetrics
from tests.fakes import NOW, FakeFeedPublisher, FakeModelChanges, KnownModel, content, delta, replica_of

CONTENTS = [content(f"c{index}") for index in range(40)]
MODEL = KnownModel({f"c{index}": index / 40 for index in range(40)})


class Replica:
    """A replica with fakes for broker and model actor, and with the real store."""

    def __init__(self, connections: Connections, versions: int) -> None:
        """versions: how many deltas its model will bring."""
        store = UserStore(connections.redis, connections.namespace)
        self.catalogue = Catalogue(connections.redis, connections.namespace)
        self.weights = WeightStore(connections.redis, connections.namespace)
        replica = replica_of(CONTENTS)
        changes = OperatorChanges(replica, self.catalogue, self.weights, SignalWeights({"engage": 1.0}))
        script = [[delta(number, previous=number - 1)] for number in range(2, 2 + versions)]
        metrics = ServingMetrics()
        self.follower = DeltaFollower(
            FakeModelChanges(script), replica, DeltaFollowerSettings(), clock=lambda: NOW, metrics=metrics
        )
        self._service = FeedService(
            user_store=store,
            catalogue=self.catalogue,
            feed_publisher=FakeFeedPublisher(4),
            replica=replica,
            pipeline=build_pipeline(
                PipelineSettings(learned_order_only=True), replica, MODEL, changes.weights
            ),
            clock=lambda: NOW,
            generator=np.random.default_rng(0),
            num_partitions=4,
            settings=FeedServiceSettings(catch_up_seconds=5),
            metrics=metrics,
            follower=self.follower,
            changes=changes,
        )

    async def feed(self, user: str, limit: int = 5) -> dict[str, Any]:
        return await self._service.feed(FeedRequest(user, limit))

    async def ids(self, user: str, limit: int = 5) -> list[str]:
        return [item["content_id"] for item in (await self.feed(user, limit))["items"]]


@asynccontextmanager
async def two_replicas(endpoints: EndpointSettings, versions: int = 3) -> AsyncIterator[list[Replica]]:
    async with await Connections.open(endpoints, "test") as connections:
        yield [Replica(connections, versions) for _ in range(2)]


def test_pages_from_either_replica_go_on_where_the_other_ended(endpoints: EndpointSettings) -> None:
    async def scenario() -> None:
        async with two_replicas(endpoints) as replicas:
            shown = [name for turn in range(8) for name in await replicas[turn % 2].ids("ada")]
            assert len(shown) == len(set(shown)) == 40

    asyncio.run(scenario())


def test_versions_never_go_back_whichever_replica_answers(endpoints: EndpointSettings) -> None:
    async def scenario() -> list[str]:
        async with two_replicas(endpoints) as (ahead, behind):
            versions = []
            for _ in range(3):
                await ahead.follower.follow_once()
                versions.append((await ahead.feed("ada", 2))["model"]["version"])
                answer = asyncio.create_task(behind.feed("ada", 2))
                await asyncio.sleep(0)
                await behind.follower.follow_once()
                versions.append((await answer)["model"]["version"])
            return versions

    assert asyncio.run(scenario()) == ["a.2", "a.2", "a.3", "a.3", "a.4", "a.4"]


def test_weights_and_removals_hold_in_the_next_answer_of_every_replica(endpoints: EndpointSettings) -> None:
    async def scenario() -> None:
        async with two_replicas(endpoints) as replicas:
            for number, replica in enumerate(replicas):
                assert (await replica.ids(f"early-{number}", 2)) == ["c39", "c38"]
            await replicas[0].weights.write({"engage": -1.0}, 0)
            for number, replica in enumerate(replicas):
                assert (await replica.ids(f"later-{number}", 2)) == ["c0", "c1"]
            await replicas[1].catalogue.remove("c0")
            for number, replica in enumerate(replicas):
                assert (await replica.ids(f"last-{number}", 2)) == ["c1", "c2"]

    asyncio.run(scenario())
