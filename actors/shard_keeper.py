"""Keeps shards and joiners at the number that is wanted, and none of the actors hung: in the process that
started a system, or as an actor."""

from __future__ import annotations

import asyncio
from typing import Any

from actors.background import BackgroundTask
from actors.hung_actors import HungActors
from actors.joiner_crew import JoinerCrew
from actors.resharding import Resharder, ShardControl
from actors.shard_directory import ShardDirectory


class ShardKeeper:
    """Starts to watch the map of shards, how many joiners are wanted, and who hangs, when constructed."""

    def __init__(
        self,
        directory: ShardDirectory,
        control: ShardControl,
        joiners: JoinerCrew | None = None,
        hung: HungActors | None = None,
    ) -> None:
        """joiners: beside the first; None leaves their number alone. hung: None leaves alone who hangs."""
        self._directory = directory
        self._control = control
        self._joiners = joiners
        works = {"shard keeper": self._keep_shards}
        works |= {} if joiners is None else {"joiners' keeper": joiners.run}
        works |= {} if hung is None else {"watch of hung actors": hung.run}
        self._tasks = [BackgroundTask(name, work) for name, work in works.items()]
        for task in self._tasks:
            task.start()

    def status(self) -> dict[str, Any]:
        return {
            "running": all(task.is_running for task in self._tasks),
            "failure": next((task.failure for task in self._tasks if task.failure), None),
        }

    def stop(self) -> None:
        """Stop after the move that is under way. Joiners go on."""
        for task in reversed(self._tasks):
            task.stop(timeout=30.0)

    def end_joiners(self) -> None:
        """End the joiners that were started here. It must have stopped."""
        if self._joiners is not None:
            self._joiners.end()

    async def _keep_shards(self, stop: asyncio.Event) -> None:
        async with self._directory.connected() as maps:
            await Resharder(maps, self._control).run(stop)
