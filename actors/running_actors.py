"""The actors of a namespace that run now, whoever started them: found by name, stopped without loss."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping
from typing import Any

from actors.names import RAY_NAMESPACE, Namespace

_ROLE = re.compile(r"(keeper|models|joiner|learner(-.+)?|counter-writer|model|archive|shard-\d+)(\+\d+)?")
_STOP_ORDER = ("keeper", "models", "joiner", "learner", "counter-writer", "model", "archive", "shard")
_STOP_SECONDS = 35.0  # the keeper ends the move that is under way
_SNAPSHOT_SECONDS = 300.0
_GONE_SECONDS = 30.0
_POLL_SECONDS = 0.1

logger = logging.getLogger(__name__)


class ActorsStayError(Exception):
    """Actors were told to end and are still there; the text names them."""


def roles_among(names: list[str], namespace: Namespace) -> list[str]:
    """Return the roles of a namespace among actors' names, in the order in which to stop them."""
    prefix = namespace.actor("")
    roles = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
    return sorted((role for role in roles if _ROLE.fullmatch(role)), key=_place)


def find_actors(namespace: Namespace) -> dict[str, Any]:
    """Return the handles of a namespace's actors by role, in the order in which to stop them."""
    import ray

    entries = ray.util.list_named_actors(all_namespaces=True)
    names = [entry["name"] for entry in entries if entry["namespace"] == RAY_NAMESPACE]
    handles = {}
    for role in roles_among(names, namespace):
        try:
            handles[role] = ray.get_actor(namespace.actor(role), namespace=RAY_NAMESPACE)
        except ValueError:
            continue  # it has ended meanwhile
    return handles


def stop_actors(namespace: Namespace, handles: Mapping[str, Any]) -> None:
    """Stop workers in the order of the data, keep what the shards hold, end all and wait until they are gone.

    Nothing is learned twice or lost by it: positions are with what was made of what was read. A worker that
    does not stop by itself is ended all the same; a shard that cannot write raises what failed.
    """
    import ray

    shards = {role: handle for role, handle in handles.items() if role.startswith("shard-")}
    for role, handle in handles.items():
        if role in shards:
            continue
        try:
            ray.get(handle.stop.remote(), timeout=_STOP_SECONDS)
        except (ray.exceptions.RayError, TimeoutError):
            logger.warning("%s did not stop by itself", role, exc_info=True)
    ray.get([shard.write_snapshot.remote() for shard in shards.values()], timeout=_SNAPSHOT_SECONDS)
    for handle in handles.values():
        ray.kill(handle)
    deadline = time.monotonic() + _GONE_SECONDS
    while left := sorted(set(find_actors(namespace)) & set(handles)):
        if time.monotonic() > deadline:
            raise ActorsStayError(f"these actors do not end: {', '.join(left)}")
        time.sleep(_POLL_SECONDS)


def _place(role: str) -> tuple[int, str]:
    first = role.partition("+")[0]
    kind = next(kind for kind in _STOP_ORDER if first == kind or first.startswith(f"{kind}-"))
    return _STOP_ORDER.index(kind), role
