"""One request of a person at a time, so that two at once do not show the same contents."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class UserTurns:
    """Locks by user, there only while somebody holds or awaits them. Within one replica."""

    def __init__(self) -> None:
        self._turns: dict[str, tuple[asyncio.Lock, int]] = {}

    def __len__(self) -> int:
        return len(self._turns)

    @asynccontextmanager
    async def of(self, user_id: str) -> AsyncIterator[None]:
        lock, num_holders = self._turns.get(user_id, (None, 0))
        lock = lock or asyncio.Lock()
        self._turns[user_id] = (lock, num_holders + 1)
        try:
            async with lock:
                yield
        finally:
            num_holders = self._turns[user_id][1] - 1
            if num_holders:
                self._turns[user_id] = (lock, num_holders)
            else:
                del self._turns[user_id]
