"""Makes what runs be what the registry says: groups on the shards, a learner for each model that learns."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Protocol

from actors.model_groups import GroupBirth, group_name
from actors.model_records import ModelRecords
from actors.model_registry_store import ModelRegistryStore
from learners.training_settings import TrainingSettings

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.25
_AGAIN_SECONDS = 5.0
"""A shard that was restored without a group is given it again after so long."""


class ModelParts(Protocol):
    """What a model consists of; `actors.cluster.RayModelParts`. All of it may be repeated."""

    async def ensure_group(self, group: str, training: TrainingSettings, birth: GroupBirth) -> None:
        """Make a group on every shard that does not have it."""
        ...

    async def drop_group(self, group: str) -> None: ...

    async def keep_pinned(self, versions: list[str]) -> None:
        """Have every shard keep a snapshot for each of these versions, made now where it has none."""
        ...

    async def start_learner(self, group: str, training: TrainingSettings) -> None: ...

    async def stop_learner(self, group: str) -> None:
        """End a group's learner, if there is one, for good."""
        ...

    async def learner_status(self, group: str) -> dict[str, Any]: ...

    def end_learners(self, but: str) -> None:
        """End what was started here, but the learner of one group."""
        ...


class ModelKeeper:
    """Follows the registry by its revision. Nothing is remembered here: what is done is found out by doing.

    A step that fails (a shard is away) is taken again; `problem` says which.
    """

    def __init__(self, parts: ModelParts, training: TrainingSettings) -> None:
        """training: of models that have no settings of their own."""
        self._parts = parts
        self._training = training
        self._records: ModelRecords | None = None
        self.problem: str | None = None

    @property
    def records(self) -> ModelRecords | None:
        """What was put into practice last."""
        return self._records

    async def run(self, store: ModelRegistryStore, stop: asyncio.Event) -> None:
        """Look for changes until stopped; a rollback must be in practice within seconds."""
        waited = _AGAIN_SECONDS
        while not stop.is_set():
            await self.keep(store, again=waited >= _AGAIN_SECONDS)
            waited = 0.0 if waited >= _AGAIN_SECONDS else waited + _LOOK_SECONDS
            try:
                await asyncio.wait_for(stop.wait(), _LOOK_SECONDS)
            except TimeoutError:
                continue

    async def keep(self, store: ModelRegistryStore, *, again: bool) -> bool:
        """Put the registry into practice where it has changed, or `again`; False where nothing was done."""
        try:
            records = await store.load()
            known = self._records
            if known is not None and known.revision == records.revision and not again and not self.problem:
                return False
            await self.practise(records)
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
            if problem != self.problem:
                logger.warning("the registry is not in practice yet", exc_info=True)
            self.problem = problem
            return True
        self._records, self.problem = records, None
        return True

    async def practise(self, records: ModelRecords) -> None:
        """Begin what must be there, then end what must not: a new lineage is made before the old one goes."""
        learning = {records.group(model_id): model_id for model_id in records.learning()}
        for group, model_id in learning.items():
            training = records.training(model_id, self._training)
            await self._parts.ensure_group(group, training, records.specs[model_id].birth)
            await self._parts.start_learner(group, training)
        for model in records.registry.models.values():
            for lineage in range(model.lineage + 1):
                group = group_name(model.model_id, lineage)
                if group not in learning:
                    await self._parts.stop_learner(group)
        for group in records.dropped_groups:
            await self._parts.drop_group(group)
        await self._parts.keep_pinned([version.name for version in records.kept_versions()])

    async def learners(self) -> dict[str, Any]:
        """Ask the learner of each model how it is, by model."""
        records = self._records
        if records is None:
            return {}
        return {
            model_id: await self._parts.learner_status(records.group(model_id))
            for model_id in records.learning()
        }
