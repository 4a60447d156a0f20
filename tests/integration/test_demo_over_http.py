"""The demo against the real HTTP application, in one process: people speak as the API does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import httpx
import numpy as np

from learners.joiner import JoinerSettings
from messages.arrays import IdArray
from messages.content import ContentFacts
from messages.feed import FeedMessage
from messages.identifiers import key_of, partition_of
from messages.impressions import Impression
from messages.stored_user import StoredUser
from serve_app.feed_service import FeedService
from serve_app.http.app_factory import create_app
from serve_app.pipeline.default_pipeline import PipelineSettings, build_pipeline
from serve_app.pipeline.served_model import LearnedModel
from simulations.demo import Demo, DemoSettings
from simulations.feed_api import HttpFeedApi
from simulations.in_process import InProcessSettings, InProcessSystem
from simulations.world import WorldSettings

NUM_PARTITIONS = 4


class Ports:
    """Store, catalogue and publisher of the service, each a view of one in-process system."""

    def __init__(self, system: InProcessSystem) -> None:
        self._system = system
        self._served: dict[str, list[IdArray]] = {}

    async def load(self, user_id: str, groups: Sequence[str]) -> StoredUser:
        served = self._served.get(user_id, [])
        return StoredUser(
            state=self._system.streams.states.get(user_id, (None, None))[0],
            profile=None,
            served=np.concatenate(served) if served else np.empty(0, dtype=np.uint64),
            rows={group: self._system.user_rows(key_of(user_id)) for group in groups},
        )

    async def add_served(self, user_id: str, keys: IdArray, group: str, counter: int) -> None:
        self._served.setdefault(user_id, []).append(keys)

    async def put_profile(self, user_id: str, profile: dict[str, Any]) -> None:
        raise AssertionError("the demo states no profiles")

    async def put(self, content: ContentFacts) -> None:
        await self.put_many([content])

    async def remove(self, content_id: str) -> bool:
        raise AssertionError("the demo removes nothing")

    async def removed(self) -> list[str]:
        return []

    async def put_many(self, contents: list[ContentFacts]) -> None:
        for facts in contents:
            self._system.put_content(facts, time.time())

    async def get(self, content_id: str) -> ContentFacts | None:
        return None

    async def publish_events(self, events: list[dict[str, Any]]) -> dict[int, int]:
        people = [event for event in events if event["event_type"] != "content_upload"]
        positions = self._system.post(people, time.time())
        self._system.advance(time.time())
        return positions or {0: 0}

    async def publish_impression(self, impression: Impression) -> int:
        partition = partition_of(impression.user_id, NUM_PARTITIONS)
        message = FeedMessage([("impression", impression.to_wire())])
        return self._system.streams.append(partition, message, time.time())


def test_a_demo_runs_over_the_real_application_and_loses_nothing() -> None:
    system = InProcessSystem(InProcessSettings(joiner=JoinerSettings(num_partitions=NUM_PARTITIONS)))
    ports = Ports(system)
    service = FeedService(
        user_store=ports,
        catalogue=ports,
        feed_publisher=ports,
        replica=system.replica,
        pipeline=build_pipeline(PipelineSettings(), system.replica, LearnedModel(system.replica)),
        clock=time.time,
        generator=np.random.default_rng(0),
        num_partitions=NUM_PARTITIONS,
    )
    api = HttpFeedApi("http://foryou.test", transport=httpx.ASGITransport(create_app(service)))
    settings = DemoSettings(
        world=WorldSettings(num_people=10, num_contents=300, num_creators=20),
        duration_seconds=0.5,
        visits_per_second=100.0,
        slate=5,
        frozen_share=0.0,
        num_partitions=NUM_PARTITIONS,
    )
    summary = asyncio.run(Demo(settings, api).run())
    assert summary.failures == 0
    assert summary.impressions > 0
    assert summary.examples == summary.events > 0
    assert system.streams.statistics()["joined"] == summary.events
    assert summary.freshness_measured > 0
