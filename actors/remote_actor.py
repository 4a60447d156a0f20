"""Calls to a named actor that outlive the actor's own lives."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 0.2


class ActorAwayError(Exception):
    """An actor of that name has not answered for as long as the caller would wait."""


class RemoteActor:
    """Holds a name, not a handle, so it can be passed to other actors and survives a new actor of that name.

    Only for calls that may be repeated: while the actor is away, `call` waits and asks again.
    """

    def __init__(self, name: str, ray_namespace: str, patience_seconds: float | None = None) -> None:
        """patience_seconds: how long to wait for an actor that is away; for ever where left out."""
        self._name = name
        self._ray_namespace = ray_namespace
        self._patience_seconds = patience_seconds
        self._handle: Any = None

    def __reduce__(self) -> tuple[type[RemoteActor], tuple[str, str, float | None]]:
        return RemoteActor, (self._name, self._ray_namespace, self._patience_seconds)

    async def call(self, method: str, *arguments: Any, threads: str | None = None) -> Any:
        """Call a method by name and return its answer; what the method itself raises is raised here.

        threads: the concurrency group whose threads answer; the actor's own thread where left out.
        Raises ActorAwayError where the actor is away for longer than this caller's patience.
        """
        import ray  # here, so that who only reads settings does not wait for it
        from ray.exceptions import ActorDiedError, ActorUnavailableError

        started = time.monotonic()
        while True:
            try:
                if self._handle is None:
                    self._handle = ray.get_actor(self._name, namespace=self._ray_namespace)
                bound = getattr(self._handle, method)
                if threads is not None:
                    bound = bound.options(concurrency_group=threads)
                return await bound.remote(*arguments)
            except (ActorUnavailableError, ActorDiedError, ValueError) as error:
                if isinstance(error, ValueError) and self._handle is not None:
                    raise
                if (
                    self._patience_seconds is not None
                    and time.monotonic() - started >= self._patience_seconds
                ):
                    raise ActorAwayError(f"{self._name} is away") from error
                logger.warning("%s is away, asking again: %s", self._name, type(error).__name__)
                self._handle = None
                await asyncio.sleep(_RETRY_SECONDS)
