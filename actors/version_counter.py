"""Numbers of a model's deltas."""

from __future__ import annotations

import dataclasses

from actors.connections import Connections
from messages.impressions import ModelVersion
from messages.updates import ModelDelta

_VERSIONS_RESERVED = 1_000


class VersionCounter:
    """Gives deltas numbers that never fall, also over a restart: numbers are reserved in the store ahead."""

    def __init__(self, connections: Connections, row_group: str) -> None:
        self._redis = connections.redis
        self._key = connections.namespace.key("version", row_group)
        self._next = 0
        self._reserved = 0

    async def number(self, delta: ModelDelta) -> ModelDelta:
        """Return the delta under the next number."""
        if self._next >= self._reserved:
            self._reserved = int(await self._redis.incrby(self._key, _VERSIONS_RESERVED))
            self._next = self._reserved - _VERSIONS_RESERVED
        self._next += 1
        version = ModelVersion(delta.version.model_id, delta.version.lineage, self._next)
        return dataclasses.replace(delta, version=version)
