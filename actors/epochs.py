"""Numbers owners: of two that do the same work, the later one is listened to, and the earlier one stops."""

from __future__ import annotations

import time
from collections.abc import Mapping

from actors.connections import Connections

_CLAIM = """
local taken = tonumber(redis.call('GET', KEYS[1]) or '0')
local held, now = tonumber(ARGV[1]), tonumber(ARGV[2])
if held > 0 and taken > held then
  return 0
end
local epoch = math.max(taken + 1, held + 1, now)
redis.call('SET', KEYS[1], string.format('%d', epoch))
return epoch
"""


class OvertakenError(Exception):
    """Somebody has become the owner of this work later: this one must stop."""


async def take_epoch(connections: Connections, work: str, held: int = 0) -> int:
    """Become the owner of some work (a group's updates, a partition's joining) and return the epoch.

    Earlier owners are refused from now on. held: the epoch of an owner that begins again after an error; it
    goes on only if nobody came after it, else OvertakenError.

    An epoch is the time in milliseconds, or one more than the highest taken (hybrid logical clocks, Kulkarni
    et al. 2014): a store that lost its tail, or everything, still gives higher ones than before, and so does
    a clock that was set back.
    """
    key = epoch_key(connections, work)
    now = int(time.time() * 1e3)
    epoch = int(await connections.redis.eval(_CLAIM, 1, key, held, now))
    if not epoch:
        raise OvertakenError(f"{work}: another owner came after epoch {held}")
    return epoch


async def ensure_owner(connections: Connections, epochs: Mapping[str, int]) -> None:
    """Raise OvertakenError if somebody came after any of these epochs. epochs: by work."""
    taken = await connections.redis.mget([epoch_key(connections, work) for work in epochs])
    for (work, held), now in zip(epochs.items(), taken, strict=True):
        if int(now or 0) > held:
            raise OvertakenError(f"{work}: another owner came after epoch {held}")


def epoch_key(connections: Connections, work: str) -> str:
    """Name the store's key of the highest epoch taken."""
    return connections.namespace.key("epoch", work)
