"""The composition root of the actors: plain classes become Ray actors here, and nowhere else."""

from __future__ import annotations

import functools
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import ray
from pydantic import BaseModel, ConfigDict, Field

from actors.archive_actor import ArchiveActor
from actors.archive_files import ArchiveSettings
from actors.connections import EndpointSettings
from actors.counter_writer import CounterWriter
from actors.examples_follower import BatchingSettings
from actors.joiner_actor import JoinerActor
from actors.learner_actor import LearnerActor, LearnerSettings
from actors.model_actor import ModelActorSettings, RemoteDeltaSource
from actors.model_groups import learner_role
from actors.model_hub import ModelHub
from actors.models_actor import ModelsActor
from actors.models_settings import ModelsSettings
from actors.names import RAY_NAMESPACE, Namespace
from actors.parameter_client import ParameterClient, RemoteShard
from actors.placement import PlacementSettings
from actors.ray_model_parts import RayModelParts
from actors.shard_host import ShardHost, ShardHostSettings
from learners.joiner import JoinerSettings
from learners.training_settings import TrainingSettings
from parameter_server.routing import ShardRouter, assign_buckets

_ACTOR_CPUS = 0.1
_LONG_POLLS = 64
_READY_SECONDS = 120.0
_STOP_SECONDS = 8.0

logger = logging.getLogger(__name__)


class ClusterPlan(BaseModel):
    """What to start in one namespace. replay: without model actor, and its learner writes the counters.

    model, training: of the model that is production now. own_training: of models that have no settings of
    their own, `training` where left out. models: None keeps no registry, and there is this one model alone.
    detached: the actors live until somebody ends them, not until their starter ends.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoints: EndpointSettings
    snapshot_root: Path | str
    num_shards: int = Field(default=2, ge=1)
    snapshot_every_seconds: float = 30.0
    snapshots_kept: int = 3
    joiner: JoinerSettings = JoinerSettings()
    training: TrainingSettings = TrainingSettings()
    batching: BatchingSettings = BatchingSettings()
    model: ModelActorSettings = ModelActorSettings()
    models: ModelsSettings | None = None
    own_training: TrainingSettings | None = None
    archive: ArchiveSettings = ArchiveSettings()
    placement: PlacementSettings = PlacementSettings()
    learning: bool = True
    replay: bool = False
    detached: bool = False


@dataclass(slots=True)
class SystemActors:
    """Handles of what runs in one namespace; None for a part that the plan leaves out."""

    shards: dict[int, Any]
    joiner: Any
    counter_writer: Any | None
    learner: Any | None
    model: Any | None
    models: Any | None = None
    archive: Any | None = None

    def workers(self) -> dict[str, Any]:
        """The actors that have a `status` and can `stop`, by role, in the order in which to stop them."""
        named = {
            "models": self.models,
            "joiner": self.joiner,
            "learner": self.learner,
            "counter-writer": self.counter_writer,
            "model": self.model,
            "archive": self.archive,
        }
        return {role: handle for role, handle in named.items() if handle is not None}

    def roles(self) -> list[str]:
        """Return the names of all parts, as they stand in the actors' own names."""
        return [*self.workers(), *(f"shard-{shard}" for shard in self.shards)]

    def status(self, timeout: float = 10.0) -> dict[str, Any]:
        """Ask every actor how it is. An actor that gives no answer is reported as such."""
        asked = {role: handle.status.remote() for role, handle in self.workers().items()}
        asked |= {f"shard-{shard}": handle.statistics.remote() for shard, handle in self.shards.items()}
        answers: dict[str, Any] = {}
        deadline = time.monotonic() + timeout
        for role, reference in asked.items():
            try:
                answers[role] = ray.get(reference, timeout=max(deadline - time.monotonic(), 0.1))
            except (ray.exceptions.RayError, TimeoutError) as error:
                answers[role] = {"running": False, "failure": f"no answer: {type(error).__name__}"}
        return answers

    def write_snapshots(self) -> list[str]:
        """Write a snapshot of every shard now; returns their paths."""
        paths: list[str] = ray.get([shard.write_snapshot.remote() for shard in self.shards.values()])
        return paths

    def stop(self) -> None:
        """Stop the workers in the order of the data, keep what the shards hold, and end the processes."""
        for role, handle in self.workers().items():
            try:
                ray.get(handle.stop.remote(), timeout=_STOP_SECONDS)
            except (ray.exceptions.RayError, TimeoutError):
                logger.warning("%s did not stop by itself", role, exc_info=True)
        self.write_snapshots()
        for handle in (*self.workers().values(), *self.shards.values()):
            ray.kill(handle)


def start_actors(plan: ClusterPlan) -> SystemActors:
    """Start every actor of one namespace and wait until each answers. Ray must be initialized."""
    namespace = Namespace(plan.endpoints.namespace)
    partitions = range(plan.endpoints.num_partitions)
    shards = _start_shards(plan)
    client = _parameter_client(plan)

    def start(plain_class: type, role: str, *arguments: Any, threads: int = 1) -> Any:
        return (
            ray.remote(plain_class)
            .options(**_options(plan, role), max_concurrency=threads)
            .remote(*arguments)
        )

    actors = SystemActors(
        shards=shards,
        joiner=start(JoinerActor, "joiner", plan.endpoints, plan.joiner, partitions),
        counter_writer=None
        if plan.replay
        else start(CounterWriter, "counter-writer", plan.endpoints, client, partitions, plan.batching),
        learner=start_learner(plan, plan.model.group, plan.training) if plan.learning else None,
        model=None
        if plan.replay
        else start(
            ModelHub,
            "model",
            plan.endpoints,
            [RemoteDeltaSource(namespace.actor(f"shard-{shard}"), RAY_NAMESPACE) for shard in shards],
            plan.model,
            threads=_LONG_POLLS,
        ),
        models=None
        if plan.models is None
        else start(
            ModelsActor,
            "models",
            plan.endpoints,
            RayModelParts(
                namespace,
                [f"shard-{shard}" for shard in shards],
                functools.partial(start_learner, plan) if plan.learning else None,
            ),
            plan.own_training or plan.training,
            plan.models,
        ),
        archive=None
        if plan.archive.uri is None
        else start(ArchiveActor, "archive", plan.endpoints, plan.archive),
    )
    ray.get([handle.status.remote() for handle in actors.workers().values()], timeout=_READY_SECONDS)
    return actors


def start_learner(plan: ClusterPlan, group: str, training: TrainingSettings) -> Any:
    """Start the learner of a group and return its handle; of one that runs, its own."""
    endpoints = plan.endpoints
    return (
        ray.remote(LearnerActor)
        .options(
            **_options(plan, learner_role(group)),
            max_concurrency=1,
            get_if_exists=True,
        )
        .remote(
            endpoints,
            _parameter_client(plan),
            range(endpoints.num_partitions),
            training,
            LearnerSettings(
                group=group,
                batching=plan.batching.model_copy(update={"in_time_order": plan.replay}),
                writes_counters=plan.replay,
            ),
        )
    )


def find_model_actor(endpoints: EndpointSettings) -> Any:
    """Return the handle of a namespace's model actor, for replicas. Raises ValueError where there is none."""
    return ray.get_actor(Namespace(endpoints.namespace).actor("model"), namespace=RAY_NAMESPACE)


def _parameter_client(plan: ClusterPlan) -> ParameterClient:
    namespace = Namespace(plan.endpoints.namespace)
    return ParameterClient(
        {
            shard: RemoteShard(namespace.actor(f"shard-{shard}"), RAY_NAMESPACE)
            for shard in range(plan.num_shards)
        },
        ShardRouter(assign_buckets(plan.num_shards)),
    )


def _start_shards(plan: ClusterPlan) -> dict[int, Any]:
    bucket_to_shard = assign_buckets(plan.num_shards)
    models = {plan.model.group: plan.training}
    host = ShardHostSettings(
        snapshot_root=plan.snapshot_root,
        snapshot_every_seconds=plan.snapshot_every_seconds,
        snapshots_kept=plan.snapshots_kept,
    )
    shards = {
        shard: ray.remote(ShardHost)
        .options(**_options(plan, f"shard-{shard}"))
        .remote(shard, np.flatnonzero(bucket_to_shard == shard), models, plan.endpoints.num_partitions, host)
        for shard in range(plan.num_shards)
    }
    ray.get([handle.statistics.remote() for handle in shards.values()], timeout=_READY_SECONDS)
    return shards


def _options(plan: ClusterPlan, role: str) -> dict[str, Any]:
    """Actors come back by themselves (their constructors restore), and Ray never repeats a call by itself."""
    return {
        "name": Namespace(plan.endpoints.namespace).actor(role),
        "namespace": RAY_NAMESPACE,
        "num_cpus": _ACTOR_CPUS,
        "max_restarts": -1,
        "max_task_retries": 0,
        **({"lifetime": "detached"} if plan.detached else {}),
        **plan.placement.of_role(role),
    }
