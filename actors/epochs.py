"""Numbers owners: of two that feed the same group, the shards listen to the one that came later."""

from __future__ import annotations

from actors.connections import Connections


async def take_epoch(connections: Connections, group: str) -> int:
    """Become the owner of a group's updates; whoever held a lower epoch is refused from now on."""
    return int(await connections.redis.incr(connections.namespace.key("epoch", group)))
