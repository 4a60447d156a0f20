"""The actor of models: keeps what runs at what the registry says."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from actors.background import BackgroundTask
from actors.connections import Connections, EndpointSettings
from actors.model_keeper import ModelKeeper, ModelParts
from actors.model_registry_store import ModelRegistryStore
from actors.models_settings import ModelsSettings
from learners.training_settings import TrainingSettings


class ModelsActor:
    """Starts to work when constructed. Learners that it starts are its own: they end with it."""

    def __init__(
        self,
        endpoints: EndpointSettings,
        parts: ModelParts,
        training: TrainingSettings,
        settings: ModelsSettings,
    ) -> None:
        self._endpoints = endpoints
        self._settings = settings
        self._keeper = ModelKeeper(parts, training)
        self._keeping = BackgroundTask("models", self._keep)
        self._keeping.start()

    def status(self) -> dict[str, Any]:
        """Return each model's stage, and what stands in the way of the registry being in practice."""
        records = self._keeper.records
        models = {} if records is None else records.registry.models
        return {
            "running": self._keeping.is_running,
            "failure": self._keeping.failure or self._keeper.problem,
            "revision": None if records is None else records.revision,
            "models": {
                model_id: {
                    "stage": model.lifecycle.stage.value,
                    "since": model.lifecycle.since,
                    "group": records.group(model_id) if records is not None else None,
                }
                for model_id, model in models.items()
                if not model.is_retired
            },
        }

    def stop(self) -> None:
        self._keeping.stop()

    async def _keep(self, stop: asyncio.Event) -> None:
        async with await Connections.open(self._endpoints, "models") as connections:
            store = ModelRegistryStore(connections.redis, connections.namespace, self._settings)
            await store.ensure(time.time())
            await self._keeper.run(store, stop)
