"""Keeps the shards at the number that is wanted: in the process that started a system, or as an actor."""

from __future__ import annotations

import asyncio
from typing import Any

from actors.background import BackgroundTask
from actors.resharding import Resharder, ShardControl, ShardMaps


class ShardKeeper:
    """Starts to watch the map of shards when constructed."""

    def __init__(self, maps: ShardMaps, control: ShardControl) -> None:
        self._maps = maps
        self._control = control
        self._task = BackgroundTask("shard keeper", self._run)
        self._task.start()

    def status(self) -> dict[str, Any]:
        return {"running": self._task.is_running, "failure": self._task.failure}

    def stop(self) -> None:
        """Stop after the move that is under way."""
        self._task.stop(timeout=30.0)

    async def _run(self, stop: asyncio.Event) -> None:
        await Resharder(self._maps, self._control).run(stop)
