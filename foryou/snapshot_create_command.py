"""`foryou snapshot create`: ask the running shards to write what they hold now, and say where it is."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from actors.names import RAY_NAMESPACE
from actors.remote_actor import ActorAwayError, RemoteActor
from actors.shard_directory import ShardDirectory, ShardMapUnavailableError
from foryou.cluster_session import cluster_session
from foryou.running_endpoints import running_endpoints
from foryou.settings import SystemSettings

_AWAY_SECONDS = 5.0
_POLL_SECONDS = 0.02


class SnapshotCreateError(Exception):
    """A shard gave no snapshot; the text says which."""


def run_snapshot_create(settings: SystemSettings, *, timeout: float) -> dict[str, Any]:
    """Have every shard write a snapshot, which pulls do not wait for, and return their locations.

    timeout: seconds. Raises SnapshotCreateError, NotRunningError, NoClusterError.
    """
    directory = ShardDirectory(running_endpoints(settings), RAY_NAMESPACE)
    started = time.monotonic()
    with cluster_session(settings):
        try:
            snapshots = asyncio.run(_create(directory, timeout))
        except (ShardMapUnavailableError, ActorAwayError) as error:
            raise SnapshotCreateError(str(error)) from error
    return {
        "shards": len(snapshots),
        "snapshots": snapshots,
        "seconds": round(time.monotonic() - started, 3),
    }


async def _create(directory: ShardDirectory, timeout: float) -> list[str]:
    shards = (await directory.read()).shards
    return list(await asyncio.gather(*(_snapshot_of(directory, shard, timeout) for shard in shards)))


async def _snapshot_of(directory: ShardDirectory, shard: int, timeout: float) -> str:
    actor = RemoteActor(directory.actor_name(shard), RAY_NAMESPACE, _AWAY_SECONDS)
    deadline = time.monotonic() + timeout
    ticket: int = await actor.call("request_snapshot")
    while True:
        location: str | None = await actor.call("snapshot_location", ticket)
        if location is not None:
            return location
        if time.monotonic() >= deadline:
            raise SnapshotCreateError(f"shard {shard} wrote no snapshot in {timeout:g} s")
        await asyncio.sleep(_POLL_SECONDS)
