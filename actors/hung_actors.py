"""Ends actors that hang, so that Ray begins them anew: a process that stands still is not dead to Ray."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from actors.names import Namespace
from actors.running_actors import find_actors

logger = logging.getLogger(__name__)

_EVERY_SECONDS = 5.0
_KEEPER = "keeper"


class WatchedActors(Protocol):
    """The actors of a namespace: `RayWatchedActors`."""

    def find(self) -> Mapping[str, Any]:
        """Return a handle of each actor that there is now, by role."""

    def ask(self, role: str, handle: Any) -> Awaitable[Any]:
        """Ask for a sign of life; raises where the actor is away."""

    def end(self, handle: Any) -> None:
        """End the process. It is begun anew, and goes on where its positions say."""


@dataclass(slots=True)
class _Question:
    handle: Any
    since: float
    answer: asyncio.Future[Any]


class HungActors:
    """Ends who has given signs of life and then gives none for `patience_seconds`.

    Only who has answered is judged: a constructor may restore a large snapshot for as long as that takes.
    """

    def __init__(
        self,
        actors: WatchedActors,
        patience_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._actors = actors
        self._patience_seconds = patience_seconds
        self._clock = clock
        self._questions: dict[str, _Question] = {}
        self._answered: set[str] = set()
        self._checked_at = clock()

    @property
    def watched(self) -> frozenset[str]:
        """Who has given a sign of life, by role."""
        return frozenset(self._answered)

    async def check(self) -> list[str]:
        """Ask whoever owes no answer, and end those that owe one for too long; returns their roles."""
        now = self._clock()
        stood_still = now - self._checked_at >= self._patience_seconds / 2
        self._checked_at = now
        for role, question in list(self._questions.items()):
            if question.answer.done():
                self._heard(role, question)
            elif stood_still:  # this process itself: answers may lie here unread
                question.since = now
        for role, handle in (await asyncio.to_thread(self._actors.find)).items():
            if role not in self._questions:
                answer = asyncio.ensure_future(self._actors.ask(role, handle))
                self._questions[role] = _Question(handle, now, answer)
        return [role for role, question in self._questions.items() if self._ended(role, question, now)]

    async def run(self, stop: asyncio.Event) -> None:
        """Check now and then until `stop` is set."""
        try:
            while not stop.is_set():
                await self.check()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), _EVERY_SECONDS)
        finally:
            self.close()

    def close(self) -> None:
        """Wait for no more answers."""
        for question in self._questions.values():
            question.answer.cancel()
        self._questions.clear()

    def _heard(self, role: str, question: _Question) -> None:
        del self._questions[role]
        if question.answer.cancelled() or question.answer.exception() is not None:
            self._answered.discard(role)  # it is away, and comes back with a constructor
        else:
            self._answered.add(role)

    def _ended(self, role: str, question: _Question, now: float) -> bool:
        if role not in self._answered or now - question.since < self._patience_seconds:
            return False
        logger.error("%s gave no sign of life for %.0f s, and is begun anew", role, self._patience_seconds)
        self._actors.end(question.handle)
        self._answered.discard(role)
        return True


class RayWatchedActors:
    """All actors of a namespace but the keeper itself."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace

    def find(self) -> Mapping[str, Any]:
        found = find_actors(self._namespace)
        return {role: handle for role, handle in found.items() if role != _KEEPER}

    async def ask(self, role: str, handle: Any) -> Any:
        return await (handle.statistics if role.startswith("shard-") else handle.status).remote()

    def end(self, handle: Any) -> None:
        import ray

        ray.kill(handle, no_restart=False)
