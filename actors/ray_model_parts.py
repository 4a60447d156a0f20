"""Groups and learners of models as Ray actors, found by their names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import ray

from actors.model_groups import GroupBirth, learner_role
from actors.names import RAY_NAMESPACE, Namespace
from actors.remote_actor import RemoteActor
from actors.shard_directory import ShardDirectory
from learners.training_settings import TrainingSettings

_STATUS_SECONDS = 2.0
_GONE_SECONDS = 0.1


class RayModelParts:
    """`actors.model_keeper.ModelParts`. Calls may be repeated: all of them name what is to be.

    start: starts the learner of a group, or returns the one that there is; None where nothing may learn.
    """

    def __init__(
        self,
        namespace: Namespace,
        shards: ShardDirectory,
        start: Callable[[str, TrainingSettings], Any] | None,
    ) -> None:
        self._namespace = namespace
        self._shards = shards
        self._start = start
        self._learners: dict[str, tuple[Any, TrainingSettings]] = {}
        """Handles, kept because Ray ends an actor that nobody holds, and how each learns."""

    async def ensure_group(self, group: str, training: TrainingSettings, birth: GroupBirth) -> None:
        await self._tell_shards("ensure_group", group, training, birth)

    async def drop_group(self, group: str) -> None:
        await self._tell_shards("drop_group", group)

    async def _tell_shards(self, method: str, *arguments: Any) -> None:
        """Tell every shard there is; one that gets its first buckets meanwhile gets the groups with them."""
        shards = (await self._shards.read()).shards
        actors = [RemoteActor(self._shards.actor_name(shard), RAY_NAMESPACE) for shard in shards]
        await asyncio.gather(*(actor.call(method, *arguments) for actor in actors))

    async def start_learner(self, group: str, training: TrainingSettings) -> None:
        if self._start is None:
            return
        _, known = self._learners.get(group, (None, training))
        if known != training:
            await self.stop_learner(group)
        if group not in self._learners:
            self._learners[group] = await asyncio.to_thread(self._start, group, training), training

    async def stop_learner(self, group: str) -> None:
        self._learners.pop(group, None)
        while True:  # until its name is free
            try:
                learner = ray.get_actor(self._actor_name(group), namespace=RAY_NAMESPACE)
            except ValueError:
                return
            ray.kill(learner)
            await asyncio.sleep(_GONE_SECONDS)

    def end_learners(self, but: str) -> None:
        """End every learner that was started here, but that of one group, which somebody else ends."""
        for group, (learner, _) in self._learners.items():
            if group != but:
                ray.kill(learner)

    async def learner_status(self, group: str) -> dict[str, Any]:
        try:
            learner = ray.get_actor(self._actor_name(group), namespace=RAY_NAMESPACE)
            status: dict[str, Any] = await asyncio.wait_for(learner.status.remote(), _STATUS_SECONDS)
        except (ValueError, TimeoutError, ray.exceptions.RayError) as error:
            return {"running": False, "failure": f"no answer: {type(error).__name__}"}
        return status

    def _actor_name(self, group: str) -> str:
        return self._namespace.actor(learner_role(group))
