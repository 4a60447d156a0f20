"""`foryou scale joiners N`, `foryou scale learners N`: say how many, and wait until they own it all.

The wish is in the store, and whoever works shares anew by it; a system that is started again keeps to it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from redis.exceptions import RedisError

from actors.connections import EndpointSettings
from actors.crews import CrewKind, CrewStore
from actors.model_registry_store import ModelRegistryStore
from actors.names import Namespace
from actors.user_store import connect_store
from foryou.running_endpoints import running_endpoints
from foryou.scale_command import ScaleError
from foryou.settings import SystemSettings

_POLL_SECONDS = 0.1


def run_scale_crew(
    settings: SystemSettings,
    kind: CrewKind,
    number: int,
    *,
    timeout: float,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Ask for so many joiners, or learners of each model, and wait until each partition has its new owner.

    Raises ScaleError, NotRunningError. timeout: seconds; the system goes on also when this has given up.
    """
    endpoints = running_endpoints(settings)
    if not 1 <= number <= endpoints.num_partitions:
        raise ScaleError(
            f"{number} {kind}: between 1 and {endpoints.num_partitions}, the partitions that they share"
        )
    try:
        return asyncio.run(_scale(settings, endpoints, kind, number, timeout, say))
    except RedisError as error:
        raise ScaleError(f"the store does not answer: {error}") from error


async def _scale(
    settings: SystemSettings,
    endpoints: EndpointSettings,
    kind: CrewKind,
    number: int,
    timeout: float,
    say: Callable[[str], None],
) -> dict[str, Any]:
    namespace = Namespace(endpoints.namespace)
    redis = connect_store(endpoints.store_url)
    try:
        store = CrewStore(redis, namespace)
        works = ["joiner"]
        if kind == "learners":
            records = await ModelRegistryStore(redis, namespace, settings.models).load()
            works = [records.group(model_id) for model_id in records.learning()]
        started = time.monotonic()
        before = await store.read(kind)
        wanted = await store.want(kind, number)
        while left := await _not_claimed(store, works, wanted.generation, endpoints.num_partitions):
            say(f"{left} partitions wait for their new owner")
            if (await store.read(kind)) != wanted:
                raise ScaleError(f"somebody else asked for another number of {kind} meanwhile")
            if time.monotonic() >= started + timeout:
                raise ScaleError(
                    f"{left} partitions have no new owner yet. A system that runs goes on by itself; "
                    "`foryou status` says what its parts wait for"
                )
            await asyncio.sleep(_POLL_SECONDS)
    finally:
        await redis.aclose()
    return {
        f"{kind}_before": before.number,
        kind: number,
        "seconds": round(time.monotonic() - started, 3),
    }


async def _not_claimed(store: CrewStore, works: list[str], generation: int, num_partitions: int) -> int:
    """Return how many partitions of all works are owned by an older crew, or by nobody."""
    left = 0
    for work in works:
        claimed = await store.claimed(work)
        left += sum(claimed.get(partition, -1) < generation for partition in range(num_partitions))
    return left
