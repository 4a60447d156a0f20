"""Keeps shards and joiners at the number that is wanted: in the process that started a system, or as an
actor."""

from __future__ import annotations

import asyncio
from typing import Any

from actors.background import BackgroundTask
from actors.joiner_crew import JoinerCrew
from actors.resharding import Resharder, ShardControl, ShardMaps


class ShardKeeper:
    """Starts to watch the map of shards, and how many joiners are wanted, when constructed."""

    def __init__(self, maps: ShardMaps, control: ShardControl, joiners: JoinerCrew | None = None) -> None:
        """joiners: beside the first; None leaves their number alone."""
        self._maps = maps
        self._control = control
        self._joiners = joiners
        self._task = BackgroundTask("shard keeper", self._run)
        self._task.start()
        self._joining = None if joiners is None else BackgroundTask("joiners' keeper", joiners.run)
        if self._joining is not None:
            self._joining.start()

    def status(self) -> dict[str, Any]:
        tasks = [task for task in (self._task, self._joining) if task is not None]
        return {
            "running": all(task.is_running for task in tasks),
            "failure": next((task.failure for task in tasks if task.failure), None),
        }

    def stop(self) -> None:
        """Stop after the move that is under way. Joiners go on."""
        if self._joining is not None:
            self._joining.stop(timeout=30.0)
        self._task.stop(timeout=30.0)

    def end_joiners(self) -> None:
        """End the joiners that were started here. It must have stopped."""
        if self._joiners is not None:
            self._joiners.end()

    async def _run(self, stop: asyncio.Event) -> None:
        await Resharder(self._maps, self._control).run(stop)
