"""Groups and learners of models as Ray actors, found by their names; each model has a crew of learners."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import ray

from actors.crews import CrewStore, member_role
from actors.model_groups import GroupBirth, learner_role
from actors.names import RAY_NAMESPACE, Namespace
from actors.remote_actor import RemoteActor
from actors.shard_directory import ShardDirectory
from learners.training_settings import TrainingSettings

_STATUS_SECONDS = 2.0
_GONE_SECONDS = 0.1


class RayModelParts:
    """`actors.model_keeper.ModelParts`. Calls may be repeated: all of them name what is to be.

    start: starts a learner of a group, or returns the one that there is; None where nothing may learn.
    """

    def __init__(
        self,
        namespace: Namespace,
        shards: ShardDirectory,
        start: Callable[[str, TrainingSettings, int], Any] | None,
    ) -> None:
        self._namespace = namespace
        self._shards = shards
        self._start = start
        self._learners: dict[str, tuple[list[Any], TrainingSettings]] = {}
        """Handles of each group's crew (Ray ends an actor that nobody holds), and how it learns."""

    async def ensure_group(self, group: str, training: TrainingSettings, birth: GroupBirth) -> None:
        await self._tell_shards("ensure_group", group, training, birth)

    async def drop_group(self, group: str) -> None:
        await self._tell_shards("drop_group", group)

    async def keep_pinned(self, versions: list[str]) -> None:
        await self._tell_shards("keep_pinned", versions)

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
        async with self._shards.store_client() as redis:
            number = (await CrewStore(redis, self._namespace).read("learners")).number
        crew, _ = self._learners.setdefault(group, ([], training))
        while len(crew) < number:
            crew.append(await asyncio.to_thread(self._start, group, training, len(crew)))
        while len(crew) > number:
            crew.pop()
            await self._end(self._actor_name(group, len(crew)))

    async def stop_learner(self, group: str) -> None:
        self._learners.pop(group, None)
        first = self._actor_name(group)
        actors = ray.util.list_named_actors(all_namespaces=True)
        for name in {actor["name"] for actor in actors if actor["namespace"] == RAY_NAMESPACE}:
            if name == first or name.startswith(f"{first}+"):
                await self._end(name)

    async def _end(self, name: str) -> None:
        while True:  # until its name is free
            try:
                learner = ray.get_actor(name, namespace=RAY_NAMESPACE)
            except ValueError:
                return
            ray.kill(learner)
            await asyncio.sleep(_GONE_SECONDS)

    def end_learners(self, but: str) -> None:
        """End every learner that was started here, but the first of one group, which somebody else ends."""
        for group, (crew, _) in self._learners.items():
            for learner in crew[1:] if group == but else crew:
                ray.kill(learner)

    async def learner_status(self, group: str) -> dict[str, Any]:
        try:
            learner = ray.get_actor(self._actor_name(group), namespace=RAY_NAMESPACE)
            status: dict[str, Any] = await asyncio.wait_for(learner.status.remote(), _STATUS_SECONDS)
        except (ValueError, TimeoutError, ray.exceptions.RayError) as error:
            return {"running": False, "failure": f"no answer: {type(error).__name__}"}
        return status

    def _actor_name(self, group: str, member: int = 0) -> str:
        return self._namespace.actor(member_role(learner_role(group), member))
