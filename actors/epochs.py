"""Numbers owners: of two that do the same work, the later one is listened to, and the earlier one stops."""

from __future__ import annotations

import time
from collections.abc import Mapping

from actors.connections import Connections

_CLAIM = """
local works = #KEYS - 1
if ARGV[1] ~= '' and (redis.call('GET', KEYS[works + 1]) or '') ~= ARGV[1] then
  return -1
end
local epoch = tonumber(ARGV[2])
for place = 1, works do
  local taken, held = tonumber(redis.call('GET', KEYS[place]) or '0'), tonumber(ARGV[place + 2])
  if held > 0 and taken > held then
    return -1 - place
  end
  epoch = math.max(epoch, taken + 1, held + 1)
end
for place = 1, works do
  redis.call('SET', KEYS[place], string.format('%d', epoch))
end
return epoch
"""


class OvertakenError(Exception):
    """Somebody has become the owner of this work later: this one must stop."""


class PlanChangedError(Exception):
    """Who should own what has been decided anew meanwhile: nothing was claimed."""


async def take_epoch(connections: Connections, work: str, held: int = 0) -> int:
    """Become the owner of some work (a group's updates, a partition's joining) and return the epoch.

    Earlier owners are refused from now on. held: the epoch of an owner that begins again after an error; it
    goes on only if nobody came after it, else OvertakenError.

    An epoch is the time in milliseconds, or one more than the highest taken (hybrid logical clocks, Kulkarni
    et al. 2014): a store that lost its tail, or everything, still gives higher ones than before, and so does
    a clock that was set back.
    """
    return await take_epochs(connections, {work: held})


async def take_epochs(
    connections: Connections, held: Mapping[str, int], *, plan_key: str = "", plan: str = ""
) -> int:
    """Become the owner of several works at once, all or none, and return the one epoch for all of them.

    held: by work, 0 where it was not held. plan: what the store's `plan_key` must hold for the claim to be
    made; empty asks for nothing. Raises OvertakenError, PlanChangedError.
    """
    keys = [epoch_key(connections, work) for work in held]
    now = int(time.time() * 1e3)
    epoch = int(
        await connections.redis.eval(_CLAIM, len(keys) + 1, *keys, plan_key, plan, now, *held.values())
    )
    if epoch == -1:
        raise PlanChangedError(f"{plan_key} no longer holds {plan!r}")
    if epoch < 0:
        work = list(held)[-2 - epoch]
        raise OvertakenError(f"{work}: another owner came after epoch {held[work]}")
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
