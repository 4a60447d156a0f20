"""Feeds go on while the store is away: made of what this replica remembers of the people it served."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from messages.arrays import IdArray
from messages.stored_user import StoredUser
from serve_app.ports import UserStore

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class _Served:
    user_id: str
    keys: IdArray
    group: str
    counter: int


@dataclass(slots=True)
class _Known:
    stored: StoredUser
    served_since: list[_Served] = field(default_factory=list)


class SteadyUserStore:
    """The people of a store that may go away: no request waits longer than `patience_seconds` for it.

    Once it has failed, nobody waits for it any more until a task of its own finds it back. What was served
    meanwhile is owed to it and written before it is asked again, so that a person who goes on here sees
    nothing twice. One whom another replica served may: what a store that is away knows of them is not to be
    had.
    """

    def __init__(
        self,
        store: UserStore,
        away: tuple[type[Exception], ...] = (ConnectionError, TimeoutError),
        *,
        patience_seconds: float = 2.0,
        pause_seconds: float = 0.5,
        num_kept: int = 2_000,
    ) -> None:
        """store: one whose calls may be cancelled, as those that take too long are. away: what it raises when
        it is. num_kept: how many people are remembered, and how many slates are owed at most; the oldest go
        first."""
        self._store = store
        self._away = (*away, TimeoutError)
        self._patience_seconds = patience_seconds
        self._pause_seconds = pause_seconds
        self._num_kept = num_kept
        self._known: dict[str, _Known] = {}
        self._owed: deque[_Served] = deque(maxlen=num_kept)
        self._notice = 0
        self._problem: str | None = None
        self._return: asyncio.Task[None] | None = None

    @property
    def problem(self) -> str | None:
        """What the store said last, where it is away."""
        return self._problem

    async def load(self, user_id: str, groups: Sequence[str]) -> StoredUser:
        """Return what the store has, or what is remembered; raises nothing because the store is away."""
        if self._problem is None:
            try:
                stored = await self._in_time(self._store.load(user_id, groups))
            except self._away as error:
                self._went_away(error)
            else:
                self._remember(user_id, stored)
                self._notice = stored.notice
                return stored
        self._look_for_it()
        return self._remembered(user_id)

    async def add_served(self, user_id: str, keys: IdArray, group: str, counter: int) -> None:
        """Remember contents as shown: in the store when it returns, or in this replica, as owed."""
        served = _Served(user_id, keys, group, counter)
        known = self._known.get(user_id)
        if known is not None:
            known.served_since.append(served)
        if self._problem is None:
            try:
                await self._in_time(self._store.add_served(user_id, keys, group, counter))
                return
            except self._away as error:
                self._went_away(error)
        # Perhaps it was written and its answer lost: a slate that is there twice is served once all the same.
        self._owed.append(served)
        self._look_for_it()

    async def _in_time(self, call: Coroutine[Any, Any, Answer]) -> Answer:
        deadline = asyncio.timeout(self._patience_seconds)
        try:
            async with deadline:
                return await call
        except TimeoutError:
            if not deadline.expired():
                raise
            raise TimeoutError(f"no answer from the store within {self._patience_seconds:g} s") from None

    def _remember(self, user_id: str, stored: StoredUser) -> _Known:
        self._known.pop(user_id, None)
        known = self._known[user_id] = _Known(stored)
        if len(self._known) > self._num_kept:
            del self._known[next(iter(self._known))]
        return known

    def _remembered(self, user_id: str) -> StoredUser:
        known = self._known.get(user_id) or self._remember(user_id, StoredUser())
        stored, since = known.stored, known.served_since
        shown = dict(stored.shown)
        for served in since:
            shown[served.group] = max(served.counter, shown.get(served.group, served.counter))
        return replace(
            stored,
            served=np.concatenate([stored.served, *(served.keys for served in since)]),
            shown=shown,
            notice=self._notice,  # an older one would have the store read anew
            remembered=True,
        )

    def _went_away(self, error: Exception) -> None:
        if self._problem is None:
            self._problem = f"{type(error).__name__}: {error}"
            logger.warning("feeds go on without the store: %s", self._problem)

    def _look_for_it(self) -> None:
        if self._return is None or self._return.done():
            self._return = asyncio.create_task(self._find_back())

    async def _find_back(self) -> None:
        """Ask until the store answers and has everything that is owed to it; then it is asked again."""
        while self._problem is not None:
            await asyncio.sleep(self._pause_seconds)
            try:
                await self._in_time(self._store.load("", ()))
                while self._owed:
                    owed = self._owed[0]
                    await self._in_time(
                        self._store.add_served(owed.user_id, owed.keys, owed.group, owed.counter)
                    )
                    if self._owed and self._owed[0] is owed:
                        self._owed.popleft()
            except self._away as error:
                self._problem = f"{type(error).__name__}: {error}"
            else:
                self._problem = None
                logger.warning("the store is back")
