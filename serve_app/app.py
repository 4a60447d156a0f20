"""The composition root of serving: broker, store, model actor and HTTP, put together in a Ray Serve replica.

The only module that knows Ray Serve. What it puts together also runs without it: `FeedService` over fakes in
the tests, the same pipeline in `simulations.in_process`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import faiss
import numpy as np
import ray
from fastapi import FastAPI
from ray import serve
from ray.exceptions import ActorDiedError
from ray.serve.config import BackpressureConfig
from redis.exceptions import ConnectionError as StoreConnectionError
from redis.exceptions import TimeoutError as StoreTimeoutError

from actors.catalogue import Catalogue
from actors.connections import Connections, EndpointSettings
from actors.feed_publisher import FeedPublisher, StreamUnavailableError
from actors.model_actor import ModelActorSettings
from actors.model_groups import model_plan
from actors.names import RAY_NAMESPACE
from actors.status_reader import StatusReader
from actors.user_store import UserStore
from actors.weight_store import WeightStore
from learners.features.schema import RETRIEVAL_SLOT
from learners.ranking_model import RankingModelSettings
from learners.retrieval_model import content_vectors
from learners.training_settings import TrainingSettings
from messages.updates import ModelDelta
from serve_app.delta_follower import DeltaFollower
from serve_app.feed_service import FeedService
from serve_app.feed_settings import FeedSettings
from serve_app.http.app_factory import UNAVAILABLE, create_app
from serve_app.index_keeper import IndexKeeper
from serve_app.model_replica import ModelReplica
from serve_app.operator_changes import OperatorChanges
from serve_app.pipeline.default_pipeline import build_pipeline
from serve_app.pipeline.served_model import LearnedModel
from serve_app.pipeline.signal_weights import SignalWeights
from serve_app.serving_metrics import ServingMetrics
from serve_app.weight_service import WeightService

_ANSWER_SECONDS = 5.0
_AWAY = (*UNAVAILABLE, StreamUnavailableError, StoreConnectionError, StoreTimeoutError)


class RemoteModelChanges:
    """The model actor as the port that `DeltaFollower` polls.

    A poll that the actor does not answer is given up: it may have gone with its node. One that has died for
    good is looked up again by its name, which its successor bears.
    """

    def __init__(self, handle: Any, find: Callable[[], Any]) -> None:
        self._handle = handle
        self._find = find

    async def changes_after(self, counter: int, timeout_s: float) -> list[ModelDelta]:
        try:
            async with asyncio.timeout(timeout_s + _ANSWER_SECONDS):
                deltas: list[ModelDelta] = await self._handle.changes_after.remote(counter, timeout_s)
        except ActorDiedError:
            self._handle = self._find()
            raise
        return deltas


class FeedIngress:
    """One replica: its constructor connects, its app is made when Serve asks for it (an app does not
    pickle)."""

    async def __init__(  # type: ignore[misc]  # Serve awaits it
        self,
        model_handle: Any,
        endpoints: EndpointSettings,
        model: ModelActorSettings,
        ranking: RankingModelSettings,
        feed: FeedSettings,
        worker_roles: Sequence[str],
        revision: str = "",
    ) -> None:
        """revision: of what this replica runs; Serve replaces replicas whose arguments have changed."""
        faiss.omp_set_num_threads(1)
        self.revision = revision
        self._settings = feed
        self._connections = await Connections.open(endpoints, "replica")
        plan = model_plan(TrainingSettings(model=ranking), endpoints.num_partitions)
        replica = ModelReplica(model.group, plan.settings.slots, RETRIEVAL_SLOT, content_vectors, feed.index)
        metrics = ServingMetrics()
        namespace = self._connections.namespace
        remote_changes = RemoteModelChanges(
            model_handle, lambda: ray.get_actor(namespace.actor("model"), namespace=RAY_NAMESPACE)
        )
        self._follower = DeltaFollower(
            remote_changes, replica, feed.follower, clock=time.time, metrics=metrics
        )
        self._following = asyncio.create_task(self._follower.run())
        keeper = IndexKeeper(replica, metrics, feed.index_keeper)
        self._keeping_index = asyncio.create_task(keeper.run())
        status = StatusReader(namespace, worker_roles, RAY_NAMESPACE)
        self._reading_status = asyncio.create_task(status.run())
        user_store = UserStore(self._connections.redis, namespace)
        catalogue = Catalogue(self._connections.redis, namespace)
        weight_store = WeightStore(self._connections.redis, namespace)
        changes = OperatorChanges(
            replica, catalogue, weight_store, SignalWeights(feed.pipeline.weighted_sum.head_weights)
        )
        pipeline = build_pipeline(feed.pipeline, replica, LearnedModel(replica), changes.weights)
        self._service = FeedService(
            user_store=user_store,
            catalogue=catalogue,
            feed_publisher=FeedPublisher(self._connections.js, namespace, endpoints.num_partitions),
            replica=replica,
            pipeline=pipeline,
            clock=time.time,
            generator=np.random.default_rng(),
            num_partitions=endpoints.num_partitions,
            settings=feed.service,
            metrics=metrics,
            follower=self._follower,
            workers=lambda: status.latest,
            changes=changes,
        )
        self._weights = WeightService(
            store=weight_store,
            changes=changes,
            user_store=user_store,
            replica=replica,
            pipeline=pipeline,
            people=self._service.people,
            clock=time.time,
        )

    def __serve_build_asgi_app__(self) -> FastAPI:
        return create_app(self._service, self._settings.api, _AWAY, self._weights)

    def check_health(self) -> None:
        """Serve replaces a replica whose follower has died: it outlives every error of the other side."""
        if self._following.done():
            raise RuntimeError("the replica follows its model no more")

    async def __del__(self) -> None:
        if hasattr(self, "_following"):  # else the constructor failed
            self._following.cancel()
            self._keeping_index.cancel()
            self._reading_status.cancel()
            await self._connections.close()


def build_application(
    *,
    endpoints: EndpointSettings,
    model: ModelActorSettings,
    ranking: RankingModelSettings,
    feed: FeedSettings,
    worker_roles: Sequence[str] = (),
    num_replicas: int = 1,
    max_replicas: int | None = None,
    max_ongoing_requests: int = 64,
    max_queued_requests: int = 256,
    placement: Mapping[str, Any] | None = None,
    revision: str = "",
) -> serve.Application:
    """Return the application to run. The model actor must be there; `serve.start` sets host and port.

    worker_roles: of the actors whose state `/v1/status` tells. A replica refuses what it cannot answer soon
    with 429: its app by the number under way (`LoadShedding`), Serve before it by the length of its queue,
    which behind HAProxy would else have no bound.

    max_replicas: above num_replicas, their number follows the requests under way. placement: Ray's options
    that say on which nodes they run. In a rollout an old replica serves until a new one does.
    """
    from actors.cluster import find_model_actor  # here alone: it brings torch, which no replica needs

    deployment = serve.deployment(
        serve.ingress()(FeedIngress),
        name="feed",
        **_replica_numbers(num_replicas, max_replicas, max_ongoing_requests),
        max_surge_percent=100,
        max_ongoing_requests=max_ongoing_requests,
        max_queued_requests=max_queued_requests,
        backpressure_config=BackpressureConfig(status_code=429, retry_after_s=feed.api.retry_after_seconds),
        ray_actor_options={"num_cpus": 0.1, **(placement or {})},
    )
    application: serve.Application = deployment.bind(
        find_model_actor(endpoints), endpoints, model, ranking, feed, worker_roles, revision
    )
    return application


def _replica_numbers(least: int, most: int | None, max_ongoing_requests: int) -> dict[str, Any]:
    """Return the options of a fixed number of replicas, or of one that follows the load.

    A replica ranks in one thread, so requests under way beyond a few only wait: a quarter of what it takes at
    most is where another replica is worth its start.
    """
    if most is None or most <= least:
        return {"num_replicas": least}
    return {
        "autoscaling_config": {
            "min_replicas": least,
            "max_replicas": most,
            "target_ongoing_requests": max(max_ongoing_requests / 4, 1),
        }
    }
