"""The composition root of the actors: plain classes become Ray actors here, and nowhere else."""

from __future__ import annotations

import asyncio
import functools
import logging
from pathlib import Path
from typing import Any

import numpy as np
import ray
from pydantic import BaseModel, ConfigDict, Field

from actors.archive_actor import ArchiveActor
from actors.archive_files import ArchiveSettings
from actors.connections import EndpointSettings
from actors.counter_writer import CounterWriter
from actors.crews import member_role
from actors.examples_follower import BatchingSettings
from actors.hung_actors import HungActors, RayWatchedActors
from actors.joiner_actor import JoinerActor
from actors.joiner_crew import JoinerCrew
from actors.learner_actor import LearnerActor, LearnerSettings
from actors.model_actor import ModelActorSettings
from actors.model_groups import learner_role
from actors.model_hub import ModelHub
from actors.models_actor import ModelsActor
from actors.models_settings import ModelsSettings
from actors.names import RAY_NAMESPACE, WAITING_THREADS, Namespace
from actors.parameter_client import ParameterClient
from actors.placement import PlacementSettings
from actors.ray_model_parts import RayModelParts
from actors.ray_shards import RayShards
from actors.shard_directory import BlockingShardMap, ShardDirectory
from actors.shard_host import ShardHost
from actors.shard_host_settings import ShardHostSettings
from actors.shard_keeper import ShardKeeper
from actors.system_actors import SystemActors
from learners.joiner import JoinerSettings
from learners.training_settings import TrainingSettings
from parameter_server.shard_map import ShardMap

_ACTOR_CPUS = 0.1
_LONG_POLLS = 64
_WAITING_MODELS = 16
_READY_SECONDS = 120.0
_STOP_SECONDS = 8.0

logger = logging.getLogger(__name__)


class ClusterPlan(BaseModel):
    """What to start in one namespace. replay: without model actor, and its learner writes the counters.

    model, training: of the model that is production now. own_training: of models that have no settings of
    their own, `training` where left out. models: None keeps no registry, and there is this one model alone.
    detached: the actors live until somebody ends them, not until their starter ends. hung_after_seconds: an
    actor that gives no sign of life for so long is ended and begun anew.
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
    hung_after_seconds: float = 60.0
    replay: bool = False
    detached: bool = False


def start_actors(plan: ClusterPlan, *, one_by_one: bool = False) -> SystemActors:
    """Start every actor of one namespace and wait until each answers. Ray must be initialized.

    one_by_one: each once the one before answers. Slower, but a process that begins takes a core for seconds
    (imports), and several at once would take them all from replicas that serve meanwhile on the same nodes.
    """
    namespace = Namespace(plan.endpoints.namespace)
    partitions = range(plan.endpoints.num_partitions)
    directory = ShardDirectory(plan.endpoints, RAY_NAMESPACE)
    shards = _start_shards(plan, asyncio.run(directory.begin(plan.num_shards)), one_by_one)
    client = ParameterClient(shard_map=directory)

    # Replicas hear of counters once a sync: written oftener, each push would cost a shard the same for less.
    counting = plan.batching.model_copy(
        update={"max_wait_seconds": max(plan.batching.max_wait_seconds, plan.model.sync_every_seconds)}
    )

    def begun(handle: Any) -> Any:
        if one_by_one:
            ray.get(handle.status.remote(), timeout=_READY_SECONDS)
        return handle

    def start(plain_class: type, role: str, *arguments: Any, threads: int = 1) -> Any:
        options = _options(plan, role)
        return begun(ray.remote(plain_class).options(**options, max_concurrency=threads).remote(*arguments))

    actors = SystemActors(
        shards=shards,
        joiner=begun(start_joiner(plan)),
        counter_writer=None
        if plan.replay
        else start(CounterWriter, "counter-writer", plan.endpoints, client, partitions, counting),
        learner=begun(start_learner(plan, plan.model.group, plan.training)) if plan.learning else None,
        model=None
        if plan.replay
        else start(
            ModelHub,
            "model",
            plan.endpoints,
            directory.shard,
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
                directory,
                functools.partial(start_learner, plan) if plan.learning else None,
            ),
            plan.own_training or plan.training,
            plan.models,
            plan.model.group,
        ),
        archive=None
        if plan.archive.uri is None
        else start(ArchiveActor, "archive", plan.endpoints, plan.archive),
    )
    actors.keeper = _start_keeper(plan, directory, shards)
    ray.get([handle.status.remote() for handle in actors.workers().values()], timeout=_READY_SECONDS)
    return actors


def start_joiner(plan: ClusterPlan, member: int = 0) -> Any:
    """Start a joiner and return its handle; of one that runs, its own. member: of the crew, from 0."""
    endpoints = plan.endpoints
    return (
        ray.remote(JoinerActor)
        .options(**_options(plan, member_role("joiner", member)), get_if_exists=True)
        .remote(endpoints, plan.joiner, range(endpoints.num_partitions), member)
    )


def start_learner(plan: ClusterPlan, group: str, training: TrainingSettings, member: int = 0) -> Any:
    """Start a learner of a group and return its handle; of one that runs, its own. member: of the crew, from
    0."""
    endpoints = plan.endpoints
    return (
        ray.remote(LearnerActor)
        .options(
            **_options(plan, member_role(learner_role(group), member)),
            max_concurrency=1,
            get_if_exists=True,
        )
        .remote(
            endpoints,
            ParameterClient(shard_map=ShardDirectory(endpoints, RAY_NAMESPACE)),
            range(endpoints.num_partitions),
            training,
            LearnerSettings(
                group=group,
                member=member,
                batching=plan.batching.model_copy(update={"in_time_order": plan.replay}),
                writes_counters=plan.replay,
            ),
        )
    )


def find_model_actor(endpoints: EndpointSettings) -> Any:
    """Return the handle of a namespace's model actor, for replicas. Raises ValueError where there is none."""
    return ray.get_actor(Namespace(endpoints.namespace).actor("model"), namespace=RAY_NAMESPACE)


def _start_shards(plan: ClusterPlan, shard_map: ShardMap, one_by_one: bool) -> dict[int, Any]:
    shards = {}
    for shard in shard_map.shards:
        shards[shard] = _start_shard(plan, shard)
        if one_by_one:
            ray.get(shards[shard].statistics.remote(), timeout=_READY_SECONDS)
    ray.get([handle.statistics.remote() for handle in shards.values()], timeout=_READY_SECONDS)
    return shards


def _start_shard(plan: ClusterPlan, shard: int) -> Any:
    """Start a shard with the buckets that the map gives it; one that runs stays."""
    host = ShardHostSettings(
        snapshot_root=plan.snapshot_root,
        snapshot_every_seconds=plan.snapshot_every_seconds,
        snapshots_kept=plan.snapshots_kept,
    )
    shard_map = BlockingShardMap(ShardDirectory(plan.endpoints, RAY_NAMESPACE))
    nothing = np.empty(0, dtype=np.int64)  # the map says what it hosts
    models = {plan.model.group: plan.training}
    return (
        ray.remote(concurrency_groups={WAITING_THREADS: _WAITING_MODELS})(ShardHost)
        .options(**_options(plan, f"shard-{shard}"), get_if_exists=True)
        .remote(shard, nothing, models, plan.endpoints.num_partitions, host, shard_map)
    )


def _start_keeper(plan: ClusterPlan, directory: ShardDirectory, shards: dict[int, Any]) -> ShardKeeper | None:
    """Let shards and joiners come and go from here on, in this process, or in an actor where this one does
    not stay."""
    control = RayShards(functools.partial(_start_shard, plan), shards, directory.actor_name)
    joiners = JoinerCrew(plan.endpoints, functools.partial(start_joiner, plan))
    hung = HungActors(RayWatchedActors(Namespace(plan.endpoints.namespace)), plan.hung_after_seconds)
    if not plan.detached:
        return ShardKeeper(directory, control, joiners, hung)
    options = _options(plan, "keeper")
    keeper = ray.remote(ShardKeeper).options(**options).remote(directory, control, joiners, hung)
    ray.get(keeper.status.remote(), timeout=_READY_SECONDS)
    return None


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
