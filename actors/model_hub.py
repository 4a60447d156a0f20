"""All models that replicas follow, in one process: each is synced while somebody asks for it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from actors.connections import EndpointSettings
from actors.model_actor import DeltaSource, ModelActor, ModelActorSettings
from actors.model_groups import model_of_group
from messages.updates import ModelDelta

logger = logging.getLogger(__name__)

_UNASKED_SECONDS = 30.0


class ModelHub:
    """Starts a model when a replica first asks for its group, and ends it when none has for a while.

    Nobody need tell it which models there are, and a hub that was restarted finds out by being asked. Give
    the actor threads: `changes_after` blocks its caller.
    """

    def __init__(
        self,
        endpoints: EndpointSettings,
        shards: Sequence[DeltaSource] | Callable[[int], DeltaSource],
        settings: ModelActorSettings,
        unasked_seconds: float = _UNASKED_SECONDS,
    ) -> None:
        """settings: of the model to begin with; others differ in group and lineage alone."""
        self._endpoints = endpoints
        self._shards = shards
        self._settings = settings
        self._unasked_seconds = unasked_seconds
        self._lock = threading.Lock()
        self._models: dict[str, ModelActor] = {}
        self._asked_at: dict[str, float] = {}
        self._model(settings.group)

    def changes_after(self, counter: int, timeout_s: float, group: str | None = None) -> list[ModelDelta]:
        """Return a model's deltas as `ModelActor` does; the first model's if no group is named."""
        return self._model(group or self._settings.group).changes_after(counter, timeout_s)

    def status(self) -> dict[str, Any]:
        """Return how every model is that is synced now."""
        with self._lock:
            models = {group: model.status() for group, model in self._models.items()}
        failures = [f"{group}: {status['failure']}" for group, status in models.items() if status["failure"]]
        return {
            "running": all(status["running"] for status in models.values()),
            "failure": "; ".join(failures) or None,
            "version": ", ".join(f"{group} {status['version']}" for group, status in models.items()),
            "last_tick_ms": max(status["last_tick_ms"] for status in models.values()),
            "models": models,
        }

    def stop(self) -> None:
        with self._lock:
            models = list(self._models.values())
        for model in models:
            model.stop()

    def _model(self, group: str) -> ModelActor:
        now = time.monotonic()
        with self._lock:
            self._asked_at[group] = now
            if group not in self._models:
                _, lineage = model_of_group(group)
                settings = self._settings.model_copy(update={"group": group, "lineage": lineage})
                self._models[group] = ModelActor(self._endpoints, self._shards, settings)
                logger.info("syncing %s", group)
            model = self._models[group]
            oldest = now - self._unasked_seconds
            gone = [name for name, asked_at in self._asked_at.items() if asked_at < oldest]
            unasked = [self._models.pop(name) for name in gone]
            for name in gone:
                del self._asked_at[name]
                logger.info("nobody asks for %s any more", name)
        for each in unasked:
            each.stop()
        return model
