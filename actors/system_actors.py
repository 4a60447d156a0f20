"""What runs in one namespace, for whoever started it: asked how it is, told to write down, ended."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Any

import ray

from actors.shard_keeper import ShardKeeper

_STOP_SECONDS = 8.0

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class SystemActors:
    """Handles of what runs in one namespace; None for a part that the plan leaves out.

    shards: by number, as they come and go. keeper: what lets them, in this process or an actor of its own.
    """

    shards: dict[int, Any]
    joiner: Any
    counter_writer: Any | None
    learner: Any | None
    model: Any | None
    models: Any | None = None
    archive: Any | None = None
    keeper: ShardKeeper | None = None

    def workers(self) -> dict[str, Any]:
        """The actors that have a `status` and can `stop`, by role, in the order in which to stop them."""
        named = {
            "models": self.models,
            "joiner": self.joiner,
            "learner": self.learner,
            "counter-writer": self.counter_writer,
            "model": self.model,
            "archive": self.archive,
        }
        return {role: handle for role, handle in named.items() if handle is not None}

    def roles(self) -> list[str]:
        """Return the names of all parts, as they stand in the actors' own names."""
        return [*self.workers(), *(f"shard-{shard}" for shard in self.shards)]

    def status(self, timeout: float = 10.0) -> dict[str, Any]:
        """Ask every actor how it is. An actor that gives no answer is reported as such."""
        asked = {role: handle.status.remote() for role, handle in self.workers().items()}
        asked |= {f"shard-{shard}": handle.statistics.remote() for shard, handle in self.shards.items()}
        answers: dict[str, Any] = {}
        deadline = time.monotonic() + timeout
        for role, reference in asked.items():
            try:
                answers[role] = ray.get(reference, timeout=max(deadline - time.monotonic(), 0.1))
            except (ray.exceptions.RayError, TimeoutError) as error:
                answers[role] = {"running": False, "failure": f"no answer: {type(error).__name__}"}
        return answers

    def write_snapshots(self) -> list[str]:
        """Write a snapshot of every shard now; returns their paths."""
        paths: list[str] = ray.get([shard.write_snapshot.remote() for shard in self.shards.values()])
        return paths

    def stop(self) -> None:
        """Stop the workers in the order of the data, keep what the shards hold, and end the processes."""
        if self.keeper is not None:
            try:
                self.keeper.stop()
            except TimeoutError:
                logger.warning("a move of buckets is still under way; the map says where they belong")
            self.keeper.end_joiners()
        for role, handle in self.workers().items():
            try:
                ray.get(handle.stop.remote(), timeout=_STOP_SECONDS)
            except (ray.exceptions.RayError, TimeoutError):
                logger.warning("%s did not stop by itself", role, exc_info=True)
        self.write_snapshots()
        for handle in (*self.workers().values(), *self.shards.values()):
            ray.kill(handle)
