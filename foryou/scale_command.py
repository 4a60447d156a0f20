"""`foryou scale shards N`: say how many shards are wanted, and watch the running system move the buckets.

The wish is in the store before anything moves, and the system does the moving: if this command ends early, or
everything is killed half-way, the system goes on to the number that was asked for last.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from actors.names import RAY_NAMESPACE
from actors.shard_directory import ShardDirectory, ShardMapUnavailableError
from foryou.running_endpoints import running_endpoints
from foryou.settings import SystemSettings
from parameter_server.shard_map import ShardMap

MOST_SHARDS = 256
"""Buckets there are: one more shard would host none."""

_POLL_SECONDS = 0.1


class ScaleError(Exception):
    """The number cannot be, or is not reached; the text says what stands in the way."""


def run_scale_shards(
    settings: SystemSettings,
    num_shards: int,
    *,
    timeout: float,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Ask for a number of shards and wait until the buckets lie on them. Raises ScaleError, NotRunningError.

    timeout: seconds; the system goes on moving also when this has given up waiting.
    """
    if not 1 <= num_shards <= MOST_SHARDS:
        raise ScaleError(f"{num_shards} shards: between 1 and {MOST_SHARDS} can be")
    directory = ShardDirectory(running_endpoints(settings), RAY_NAMESPACE)
    return asyncio.run(_scale(directory, num_shards, timeout, say))


async def _scale(
    directory: ShardDirectory, num_shards: int, timeout: float, say: Callable[[str], None]
) -> dict[str, Any]:
    started = time.monotonic()
    try:
        before = await directory.read()
        wanted = await directory.change(lambda known: known.with_goal(num_shards))
        to_move = _num_to_move(wanted)
        after = await _reached(directory, num_shards, to_move, started + timeout, say)
    except ShardMapUnavailableError as error:
        raise ScaleError(str(error)) from error
    return {
        "shards_before": len(before.shards),
        "shards": len(after.shards),
        "buckets_moved": to_move,
        "map": after.generation,
        "seconds": round(time.monotonic() - started, 3),
    }


async def _reached(
    directory: ShardDirectory, num_shards: int, to_move: int, deadline: float, say: Callable[[str], None]
) -> ShardMap:
    while True:
        async with directory.store() as store:
            now, problem = await directory.read(), await store.problem()
        if now.goal != num_shards:
            raise ScaleError(f"somebody else asked for {now.goal} shards meanwhile")
        if now.is_settled:
            return now
        left = _num_to_move(now)
        say(
            f"{to_move - left} of {to_move} buckets moved" + (f", trying again: {problem}" if problem else "")
        )
        if time.monotonic() >= deadline:
            raise ScaleError(
                f"{left} of {to_move} buckets have not moved yet: {problem or 'nobody moves them'}. A system "
                "that runs (`foryou up`) goes on by itself; ask for the former number to have them back"
            )
        await asyncio.sleep(_POLL_SECONDS)


def _num_to_move(shard_map: ShardMap) -> int:
    return sum(len(move.buckets) for move in shard_map.moves())
