"""The composition root of serving: broker, store, model actor and HTTP, put together in a Ray Serve replica.

The only module that knows Ray Serve. What it puts together also runs without it: `FeedService` over fakes in
the tests, the same pipeline in `simulations.in_process`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import faiss
import numpy as np
import ray
from fastapi import FastAPI
from nats.errors import Error as NatsError
from ray import serve
from ray.serve.config import BackpressureConfig
from redis.exceptions import ConnectionError as StoreConnectionError
from redis.exceptions import TimeoutError as StoreTimeoutError

from actors.allocator_pacing import keep_freed_memory
from actors.catalogue import Catalogue
from actors.collector_pacing import pace_collector
from actors.connections import Connections, EndpointSettings
from actors.crews import CrewStore
from actors.feed_publisher import FeedPublisher, StreamUnavailableError
from actors.model_actor import ModelActorSettings
from actors.model_groups import learner_role
from actors.model_records import ModelRecords
from actors.model_registry_store import ModelRegistryStore
from actors.models_settings import ModelsSettings
from actors.names import RAY_NAMESPACE
from actors.remote_model_changes import RemoteModelChanges
from actors.shard_map_store import ShardMapStore
from actors.status_reader import StatusReader
from actors.user_store import UserStore
from actors.weight_store import WeightStore
from learners.ranking_model import RankingModelSettings
from learners.training_settings import TrainingSettings
from serve_app.feed_service import FeedService
from serve_app.feed_settings import FeedSettings
from serve_app.http.app_factory import UNAVAILABLE, create_app
from serve_app.kpi_metrics import KpiMetrics
from serve_app.model_assembly import ModelAssembly
from serve_app.model_operations import ModelOperations
from serve_app.model_replica import NO_VERSION
from serve_app.models_follower import FollowedModel, ModelsFollower
from serve_app.operator_changes import OperatorChanges
from serve_app.pipeline.signal_weights import SignalWeights
from serve_app.replica_numbers import replica_numbers
from serve_app.replica_reporter import ReplicaReporter
from serve_app.serving_metrics import ServingMetrics
from serve_app.serving_models import ServingModels
from serve_app.warm_up import warm_up_ranking
from serve_app.weight_service import WeightService

_FIRST_MODEL_SECONDS = 20.0
_AWAY = (*UNAVAILABLE, StreamUnavailableError, StoreConnectionError, StoreTimeoutError)


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
        training: TrainingSettings | None = None,
        models: ModelsSettings | None = None,
    ) -> None:
        """revision: Serve replaces replicas whose arguments have changed. model, ranking: to begin with; the
        registry says which other models there are. training: of models without settings of their own."""
        pace_collector()
        keep_freed_memory()
        faiss.omp_set_num_threads(1)
        warming = asyncio.create_task(asyncio.to_thread(warm_up_ranking))
        self.revision = revision
        self._settings = feed
        self._connections = await Connections.open(endpoints, "replica", patient_store=True)
        metrics = ServingMetrics()
        namespace = self._connections.namespace
        redis = self._connections.redis
        shards, crews = ShardMapStore(redis, namespace), CrewStore(redis, namespace)
        status = StatusReader(namespace, worker_roles, RAY_NAMESPACE, shards.shards, crews.numbers)
        user_store, catalogue = UserStore(redis, namespace), Catalogue(redis, namespace)
        weight_store = WeightStore(redis, namespace)
        weights = SignalWeights(feed.pipeline.weighted_sum.head_weights)

        def find_model() -> Any:
            return ray.get_actor(namespace.actor("model"), namespace=RAY_NAMESPACE)

        def changes_of(group: str) -> RemoteModelChanges:
            return RemoteModelChanges(model_handle, find_model, group)

        assembly = ModelAssembly(changes_of, endpoints.num_partitions, feed, metrics, weights)
        first = assembly.follow(model.group, ranking)
        serving = ServingModels(first.serving, feed.service.arm)
        replica, pipeline = first.serving.replica, first.serving.pipeline
        changes = OperatorChanges(replica, catalogue, weight_store, weights)
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
            follower=first.serving.follower,
            workers=lambda: status.latest,
            changes=changes,
            models=serving,
            store_away=_AWAY,
        )
        self._weights = WeightService(
            store=weight_store,
            changes=changes,
            user_store=user_store,
            replica=replica,
            pipeline=pipeline,
            people=self._service.people,
            clock=time.time,
            models=serving,
        )
        own, models = training or TrainingSettings(model=ranking), models or ModelsSettings()
        registry = ModelRegistryStore(redis, namespace, models)
        self._operations = ModelOperations(registry, own, time.time)

        def follow(model_id: str, records: ModelRecords) -> FollowedModel:
            return assembly.follow(records.group(model_id), records.training(model_id, own).model)

        def served(records: ModelRecords) -> None:
            learners = [learner_role(records.group(name)) for name in records.learning()]
            others = [role for role in worker_roles if not role.startswith("learner")]
            status.use([*others, *learners] if len(others) < len(worker_roles) else others)

        self._models = ModelsFollower(
            registry, serving, model.group, first, follow, holdout_share=models.holdout_share, served=served
        )
        nats = self._connections.nats
        reporter = ReplicaReporter(
            self._service.pulse,
            lambda pulse: nats.publish(namespace.pulse_subject, pulse),
            KpiMetrics(metrics.registry),
            lambda: status.latest.get("models"),
            (NatsError,),
            metrics.take_freshness,
        )
        self._tasks = [
            asyncio.create_task(work) for work in (status.run(), self._models.run(), reporter.run())
        ]
        await warming
        # Serve sends requests here from now on: other replicas, where there are any, answer better till then.
        if first.serving.follower is not None:
            await first.serving.follower.reached(NO_VERSION + 1, _FIRST_MODEL_SECONDS)

    def __serve_build_asgi_app__(self) -> FastAPI:
        return create_app(self._service, self._settings.api, _AWAY, self._weights, self._operations)

    def check_health(self) -> None:
        """Serve replaces a replica whose follower has died: it outlives every error of the other side."""
        if self._models.has_failed() or any(task.done() for task in self._tasks):
            raise RuntimeError("the replica follows its models no more")

    async def __del__(self) -> None:
        if hasattr(self, "_tasks"):  # else the constructor failed
            self._models.stop()
            for task in self._tasks:
                task.cancel()
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
    max_ongoing_requests: int = 128,
    max_queued_requests: int = 256,
    placement: Mapping[str, Any] | None = None,
    revision: str = "",
    training: TrainingSettings | None = None,
    models: ModelsSettings | None = None,
) -> serve.Application:
    """Return the application to run. The model actor must be there; `serve.start` sets host and port.

    worker_roles: of the actors whose state `/v1/status` tells. A replica refuses what it cannot answer soon
    with 429: its app by the number under way (`LoadShedding`), Serve before it by the length of its queue,
    which behind HAProxy would else have no bound.

    max_replicas: above num_replicas, their number follows the requests under way. placement: Ray's options
    that say on which nodes they run. In a rollout an old replica serves until a new one does; placed ones may
    find no room beside it, so they are replaced one after the other: have two at least.
    """
    from actors.cluster import find_model_actor  # here alone: no replica needs what starts actors

    deployment = serve.deployment(
        serve.ingress()(FeedIngress),
        name="feed",
        **replica_numbers(num_replicas, max_replicas),
        max_surge_percent=0 if placement else 100,
        max_ongoing_requests=max_ongoing_requests,
        max_queued_requests=max_queued_requests,
        backpressure_config=BackpressureConfig(status_code=429, retry_after_s=feed.api.retry_after_seconds),
        ray_actor_options={"num_cpus": 0.1, **(placement or {})},
    )
    application: serve.Application = deployment.bind(
        find_model_actor(endpoints), endpoints, model, ranking, feed, worker_roles, revision, training, models
    )
    return application


class NoOp:
    """Answers at once: what proxy and Serve cost by themselves, to measure the feed against."""

    async def __call__(self, _request: Any) -> str:
        return "ok"


def build_noop_application(
    *, num_replicas: int = 1, max_ongoing_requests: int = 128, max_queued_requests: int = 256
) -> serve.Application:
    """Return a deployment that does nothing, under the same options as the feed's."""
    deployment = serve.deployment(
        NoOp,
        name="noop",
        num_replicas=num_replicas,
        max_ongoing_requests=max_ongoing_requests,
        max_queued_requests=max_queued_requests,
        ray_actor_options={"num_cpus": 0.1},
    )
    application: serve.Application = deployment.bind()
    return application
