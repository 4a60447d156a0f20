"""`foryou drain NODE`: move everything off a node, so that it can go without a loss."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from actors.names import RAY_NAMESPACE, Namespace
from actors.node_reader import Node, read_nodes
from actors.running_actors import find_actors
from foryou.cluster_session import cluster_session
from foryou.settings import SystemSettings

_POLL_SECONDS = 0.5
_STOP_SECONDS = 40.0


class DrainError(Exception):
    """No such node, one that must stay, parts that would find no place, or that did not move in time."""


def choose_node(nodes: Sequence[Node], named: str) -> Node:
    """Return the living node of an id, the beginning of one, or an address. Raises DrainError."""
    living = [node for node in nodes if node.is_alive]
    found = [node for node in living if node.address == named or node.id.startswith(named)]
    if len(found) != 1:
        known = ", ".join(f"{node.id[:8]} ({node.address})" for node in living)
        problem = "is no node that runs" if not found else "is several nodes"
        raise DrainError(f"{named} {problem}; there are: {known}")
    (node,) = found
    if node.is_head:
        raise DrainError(f"{named} is the head: the cluster goes with it")
    return node


def homeless_kinds(nodes: Sequence[Node], leaving: Node) -> list[str]:
    """Return the node's resources that no other living node has: who asks for them finds no other place."""
    others = [node for node in nodes if node.is_alive and node.id != leaving.id]
    return sorted(kind for kind in leaving.kinds if not any(kind in node.kinds for node in others))


def still_moving(nodes: Sequence[Node], leaving: Node, wanted: Sequence[str]) -> list[str]:
    """Return what is on the leaving node still, and which of the wanted actors live nowhere else yet."""
    living = [node for node in nodes if node.is_alive]
    staying = {part for node in living if node.id == leaving.id for part in node.parts}
    elsewhere = {part for node in living if node.id != leaving.id for part in node.parts}
    return sorted(staying | ({name.removeprefix("foryou-") for name in wanted} - elsewhere))


def run_drain_command(
    settings: SystemSettings,
    named: str,
    *,
    seconds: float = 300.0,
    force: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Drain a node and return a flat report. seconds: how long parts may take to move.

    Nothing new is placed on it from now on. Our actors are stopped, shards after a snapshot, and begin again
    elsewhere where their positions stand; replicas are moved by Serve, each new one before its old one stops.
    Raises DrainError, NoClusterError.
    """
    with cluster_session(settings) as address:
        nodes = read_nodes()
        node = choose_node(nodes, named)
        if (homeless := homeless_kinds(nodes, node)) and node.parts and not force:
            raise DrainError(
                f"no other node has {', '.join(homeless)}: what runs on {named} would wait for one. "
                "Add a node first, or --force"
            )
        started = time.monotonic()
        say("telling the cluster")
        _tell_ray(address, node, seconds)
        moved = _move_actors(Namespace(settings.namespace), node, say)
        deadline = started + seconds
        wanted = () if homeless else tuple(Namespace(settings.namespace).actor(role) for role in moved)
        while left := still_moving(read_nodes(), node, wanted):
            if time.monotonic() > deadline:
                raise DrainError(f"not moved off {named} after {seconds:.0f} s: {', '.join(left)}")
            time.sleep(_POLL_SECONDS)
    return {
        "node": node.id,
        "address": node.address,
        "moved": len(node.parts),
        "actors": ", ".join(moved),
        "seconds": round(time.monotonic() - started, 1),
    }


def _tell_ray(address: str, node: Node, seconds: float) -> None:
    command = [sys.executable, "-m", "ray.scripts.scripts", "drain-node", "--address", address]
    command += ["--node-id", node.id, "--reason", "DRAIN_NODE_REASON_PREEMPTION"]
    command += ["--reason-message", "foryou drain", "--deadline-remaining-seconds", str(int(seconds))]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if finished.returncode:
        raise DrainError(f"the cluster refuses: {finished.stderr.strip() or finished.stdout.strip()}")


def _move_actors(namespace: Namespace, node: Node, say: Callable[[str], None]) -> list[str]:
    """End our actors on the node so that each begins again on another; returns their roles. Some end by
    themselves meanwhile: learners beyond the first go with the keeper of models, which begins them anew."""
    import ray

    prefix = namespace.actor("").removeprefix("foryou-")
    roles = {part.removeprefix(prefix) for part in node.parts if part.startswith(prefix)}
    moved = []
    for role, handle in find_actors(namespace).items():
        if role not in roles:
            continue
        say(f"moving {role}")
        method = handle.write_snapshot if role.startswith("shard-") else handle.stop
        moved.append(role)
        try:
            ray.get(method.remote(), timeout=_STOP_SECONDS * (5 if role.startswith("shard-") else 1))
            ray.kill(ray.get_actor(namespace.actor(role), namespace=RAY_NAMESPACE), no_restart=False)
        except (ray.exceptions.ActorDiedError, ValueError) as error:  # the latter: nobody has the name
            say(f"{role} has ended already: {type(error).__name__}")
    return moved
