"""The model actor as replicas poll it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from ray.exceptions import ActorDiedError

from messages.updates import ModelDelta

_ANSWER_SECONDS = 5.0


class RemoteModelChanges:
    """The model actor as the port that `DeltaFollower` polls.

    A poll that the actor does not answer is given up: it may have gone with its node. One that has died for
    good is looked up again by its name, which its successor bears.
    """

    def __init__(self, handle: Any, find: Callable[[], Any], group: str) -> None:
        self._handle = handle
        self._find = find
        self._group = group

    async def changes_after(self, counter: int, timeout_s: float) -> list[ModelDelta]:
        try:
            async with asyncio.timeout(timeout_s + _ANSWER_SECONDS):
                deltas: list[ModelDelta] = await self._handle.changes_after.remote(
                    counter, timeout_s, self._group
                )
        except ActorDiedError:
            self._handle = self._find()
            raise
        return deltas
