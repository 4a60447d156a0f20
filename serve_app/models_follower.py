"""Keeps a replica's models at what the registry says: follows new ones, lets go of those that are over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from actors.model_records import ModelRecords
from serve_app.serving_models import ServingModel, ServingModels

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.25


class Registry(Protocol):
    """`actors.model_registry_store.ModelRegistryStore`."""

    async def load(self) -> ModelRecords: ...


@dataclass(slots=True)
class FollowedModel:
    """A model that is kept up to date by tasks, which end only when they are cancelled."""

    serving: ServingModel
    tasks: tuple[asyncio.Task[None], ...]

    def cancel(self) -> None:
        for task in self.tasks:
            task.cancel()


class ModelsFollower:
    """A new model, or a new lineage of one, answers nobody before its first full delta is in.

    Until then who answered goes on, so a promotion or a rollback makes nobody wait; it takes effect with the
    first look after its rows are here. `last_error` says why the registry cannot be read; serving goes on.
    """

    def __init__(
        self,
        registry: Registry,
        models: ServingModels,
        first_group: str,
        first: FollowedModel,
        follow: Callable[[str, ModelRecords], FollowedModel],
        *,
        holdout_share: float = 0.0,
        served: Callable[[ModelRecords], None] = lambda _: None,
        sleep: Callable[[float], Coroutine[Any, Any, None]] = asyncio.sleep,
    ) -> None:
        """follow: begins to follow a model by name. served: told of changes."""
        self._registry = registry
        self._models = models
        self._followed = {first_group: first}
        self._follow = follow
        self._holdout_share = holdout_share
        self._served = served
        self._sleep = sleep
        self._served_last: tuple[int, frozenset[str]] | None = None
        self.last_error: str | None = None

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await self._sleep(_LOOK_SECONDS)

    async def look(self) -> None:
        """Read the registry once and serve as it says, as far as the rows are here."""
        try:
            records = await self._registry.load()
        except Exception as error:  # the store may be away in many ways, and serving goes on
            if self.last_error is None:
                logger.warning("the registry cannot be read; serving on", exc_info=True)
            self.last_error = f"{type(error).__name__}: {error}"
            return
        self.last_error = None
        wanted = {model_id: records.group(model_id) for model_id in records.at_hand()}
        for model_id, group in wanted.items():
            if group not in self._followed:
                self._followed[group] = self._follow(model_id, records)
        ready = frozenset(group for group in wanted.values() if self._followed[group].serving.is_ready)
        if self._served_last == (records.revision, ready):
            return
        serving = dict(self._models.at_hand())
        for model_id, group in wanted.items():
            if group in ready:
                serving[model_id] = self._followed[group].serving
        production = records.production
        if production not in serving:  # its rows are on their way: who answered before goes on
            production = self._models.production.replica.model_id
        serving = {name: model for name, model in serving.items() if name in wanted or name == production}
        self._models.use(serving, production, records.registry.assignment(self._holdout_share))
        self._let_go(set(wanted.values()), list(serving.values()))
        self._served_last = records.revision, ready
        self._served(records)

    def has_failed(self) -> bool:
        """Say whether a model in use is followed no more: a follower outlives every error of the others."""
        return any(task.done() for followed in self._followed.values() for task in followed.tasks)

    def stop(self) -> None:
        for followed in self._followed.values():
            followed.cancel()

    def _let_go(self, groups: set[str], serving: list[ServingModel]) -> None:
        for group in list(self._followed):
            followed = self._followed[group]
            if group not in groups and not any(followed.serving is model for model in serving):
                followed.cancel()
                del self._followed[group]
