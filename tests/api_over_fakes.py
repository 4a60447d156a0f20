"""The whole API in one process, without a server: fakes behind it, httpx in front of it."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import numpy as np

from messages.updates import Position
from serve_app.feed_service import FeedService
from serve_app.http.api_settings import ApiSettings
from serve_app.http.app_factory import create_app
from serve_app.model_replica import ModelReplica
from serve_app.operator_changes import OperatorChanges
from serve_app.pipeline.default_pipeline import PipelineSettings, build_pipeline
from serve_app.pipeline.signal_weights import SignalWeights
from serve_app.pipeline.weighted_sum_scorer import WeightedSumSettings
from serve_app.weight_service import WeightService
from tests.fakes import (
    NOW,
    FakeCatalogue,
    FakeFeedPublisher,
    FakeNotice,
    FakeUserStore,
    FakeWeightStore,
    KnownModel,
    content,
    replica_of,
)

NUM_PARTITIONS = 4
LIMITS = ApiSettings(max_events=3, max_body_bytes=4_096, max_limit=50)


class Api:
    """A client and what stands behind it."""

    def __init__(self, replica: ModelReplica, limits: ApiSettings = LIMITS) -> None:
        self.log: list[str] = []
        notice = FakeNotice()
        self.store = FakeUserStore(self.log, notice)
        self.catalogue = FakeCatalogue(self.log, notice)
        self.publisher = FakeFeedPublisher(NUM_PARTITIONS, self.log)
        self.replica = replica
        self.now = NOW + 2
        model = KnownModel({f"c{index}": index / 30 for index in range(30)})
        weight_store = FakeWeightStore(notice)
        weights = SignalWeights(WeightedSumSettings().head_weights)
        changes = OperatorChanges(replica, self.catalogue, weight_store, weights)
        settings = PipelineSettings(learned_order_only=True)
        pipeline = build_pipeline(settings, replica, model, changes.weights)
        self.service = FeedService(
            user_store=self.store,
            catalogue=self.catalogue,
            feed_publisher=self.publisher,
            replica=replica,
            pipeline=pipeline,
            clock=lambda: self.now,
            generator=np.random.default_rng(0),
            num_partitions=NUM_PARTITIONS,
            changes=changes,
        )
        self.weights = WeightService(
            store=weight_store,
            changes=changes,
            user_store=self.store,
            replica=replica,
            pipeline=pipeline,
            people=self.service.people,
            clock=lambda: self.now,
        )
        self.app = create_app(self.service, limits, weights=self.weights)

    def request(self, method: str, path: str, **words: Any) -> httpx.Response:
        async def run() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://foryou") as client:
                return await client.request(method, path, **words)

        return asyncio.run(run())

    def get(self, path: str, **words: Any) -> httpx.Response:
        return self.request("GET", path, **words)

    def post(self, path: str, **words: Any) -> httpx.Response:
        return self.request("POST", path, **words)

    def put(self, path: str, **words: Any) -> httpx.Response:
        return self.request("PUT", path, **words)


def catalogue_api(limits: ApiSettings = LIMITS) -> Api:
    """A catalogue of 30 contents, the last scoring highest."""
    contents = [content(f"c{index}", f"u{index}", f"k{index % 3}") for index in range(30)]
    positions = {partition: Position(9, 90 + partition, NOW - 1) for partition in range(NUM_PARTITIONS)}
    return Api(replica_of(contents, positions=positions), limits)
