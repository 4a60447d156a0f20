"""The nodes of the cluster, and which part runs on which."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_ACTOR_NAME = "foryou-"
_REPLICA_NAME = "SERVE_REPLICA::"
_PLAIN_RESOURCES = {"CPU", "GPU", "memory", "object_store_memory"}


@dataclass(frozen=True, slots=True)
class Node:
    """kinds: its own resources, beside CPU and memory. parts: names of our actors there, `feed` a replica."""

    id: str
    address: str
    is_alive: bool
    is_head: bool
    cpus: float
    kinds: dict[str, float] = field(default_factory=dict)
    parts: tuple[str, ...] = ()

    def report(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "address": self.address,
            "alive": self.is_alive,
            "head": self.is_head,
            "cpus": self.cpus,
            "kinds": self.kinds,
            "parts": list(self.parts),
        }


def read_nodes() -> list[Node]:
    """Ask the cluster that this process has joined; the head first."""
    import ray
    from ray._private import state  # the one place that tells an actor's node without the dashboard

    return nodes_of(ray.nodes(), list(state.actors(actor_state_name="ALIVE").values()))


def nodes_of(nodes: Sequence[Mapping[str, Any]], actors: Sequence[Mapping[str, Any]]) -> list[Node]:
    """Put together what Ray says of nodes and of actors that are alive."""
    parts: dict[str, list[str]] = defaultdict(list)
    for actor in actors:
        name = actor["Name"]
        if name.startswith(_ACTOR_NAME):
            parts[actor["Address"]["NodeID"]].append(name.removeprefix(_ACTOR_NAME))
        elif name.startswith(_REPLICA_NAME):
            parts[actor["Address"]["NodeID"]].append("feed")
    found = [
        Node(
            id=node["NodeID"],
            address=node["NodeManagerAddress"],
            is_alive=node["Alive"],
            is_head="node:__internal_head__" in node["Resources"],
            cpus=node["Resources"].get("CPU", 0.0),
            kinds={
                name: amount
                for name, amount in node["Resources"].items()
                if name not in _PLAIN_RESOURCES and not name.startswith("node:")
            },
            parts=tuple(sorted(parts[node["NodeID"]])),
        )
        for node in nodes
    ]
    return sorted(found, key=lambda node: (not node.is_head, not node.is_alive, node.address, node.id))
