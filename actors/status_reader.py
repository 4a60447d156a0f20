"""Asks the actors of a namespace how they are, now and then, for whoever must tell it at once."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import numpy as np

from actors.crews import CrewKind, roles_of_crews
from actors.names import Namespace
from actors.remote_actor import RemoteActor

logger = logging.getLogger(__name__)

_EVERY_SECONDS = 1.0
_ANSWER_SECONDS = 2.0


class StatusReader:
    """Keeps the last answers. A part that gives none in time is shown as not running."""

    def __init__(
        self,
        namespace: Namespace,
        roles: Sequence[str],
        ray_namespace: str,
        shards: Callable[[], Awaitable[Sequence[int]]] | None = None,
        crews: Callable[[], Awaitable[Mapping[CrewKind, int]]] | None = None,
    ) -> None:
        """roles: as in the actors' names; shards answer `statistics`, all others `status`. shards: says which
        shards there are by now, whatever `roles` says of them. crews: says how many joiners and learners."""
        self._crews = crews
        self._shards = shards
        self._namespace = namespace
        self._ray_namespace = ray_namespace
        self._actors: dict[str, RemoteActor] = {}
        self.latest: dict[str, Any] = {}
        self.use(roles)

    def use(self, roles: Sequence[str]) -> None:
        """Ask these from now on; what others said last is forgotten with the next answers."""
        self._actors = {
            role: self._actors.get(role) or RemoteActor(self._namespace.actor(role), self._ray_namespace)
            for role in roles
        }

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            if self._shards is not None:
                await self._follow_shards(self._shards)
            if self._crews is not None:
                await self._follow_crews(self._crews)
            roles = list(self._actors)
            answers = await asyncio.gather(*(self._ask(role) for role in roles))
            self.latest = dict(zip(roles, answers, strict=True))
            await asyncio.sleep(_EVERY_SECONDS)

    async def _follow_shards(self, shards: Callable[[], Awaitable[Sequence[int]]]) -> None:
        try:
            now = [f"shard-{shard}" for shard in await shards()]
        except Exception as error:  # noqa: BLE001 the store is away: who was known is asked
            logger.warning("which shards there are is not known: %s", error)
            return
        self.use([*(role for role in self._actors if not role.startswith("shard-")), *now])

    async def _follow_crews(self, crews: Callable[[], Awaitable[Mapping[CrewKind, int]]]) -> None:
        try:
            numbers = await crews()
        except Exception as error:  # noqa: BLE001 the store is away: who was known is asked
            logger.warning("how many joiners and learners there are is not known: %s", error)
            return
        self.use(roles_of_crews(list(self._actors), numbers))

    async def _ask(self, role: str) -> dict[str, Any]:
        method = "statistics" if role.startswith("shard-") else "status"
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                answer: dict[str, Any] = await self._actors[role].call(method)
        except TimeoutError:
            return {"running": False, "failure": f"no answer in {_ANSWER_SECONDS:.0f} s"}
        return {"running": True, "failure": None} | _for_json(answer)


def _for_json(value: Any) -> Any:
    """Turn into plain values; NaN, which stands before anything was measured, is no JSON and becomes None."""
    if isinstance(value, dict):
        return {str(key): _for_json(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_for_json(part) for part in value]
    if isinstance(value, np.generic | np.ndarray):
        return _for_json(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
