"""Which part asks for which kind of node. A node's resources (`ray start --resources`) say what it is."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

_SMALLEST_SHARE = 10_000
"""Ray counts resources in ten-thousandths."""


class PlacementSettings(BaseModel):
    """For each kind of part the resource of its nodes; None, as on a laptop, lets it run on any node.

    A node of a kind has one of its resource. Shards and replicas take a share each, so that there are never
    more on a node than said, and an autoscaler knows that one more needs one more node. The others take next
    to none: they go where there is room. `learner` may name the shards' resource: learners run beside them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    shard: str | None = None
    learner: str | None = None
    serving: str | None = None
    worker: str | None = None
    """Joiner, counter writer, model actor."""
    shards_per_node: int = Field(default=1, ge=1, le=64)
    replicas_per_node: int = Field(default=1, ge=1, le=64)

    def of_role(self, role: str) -> dict[str, Any]:
        """Return the Ray options of an actor. role: as in the actor's name, `shard-3` or `learner+2`."""
        kind = role.partition("+")[0].partition("-")[0]
        if kind == "shard":
            return {"scheduling_strategy": "SPREAD"} | _asking_for(self.shard, self.shards_per_node)
        return _asking_for(self.learner if kind == "learner" else self.worker, _SMALLEST_SHARE)

    def of_replica(self) -> dict[str, Any]:
        """Return the Ray options of a serving replica."""
        return _asking_for(self.serving, self.replicas_per_node)


def _asking_for(resource: str | None, parts_per_node: int) -> dict[str, Any]:
    if resource is None:
        return {}
    return {"resources": {resource: _SMALLEST_SHARE // parts_per_node / _SMALLEST_SHARE}}
