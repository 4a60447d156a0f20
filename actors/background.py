"""A coroutine in a thread of its own: how a plain class goes on working between the calls it answers."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)


class BackgroundTask:
    """Runs `main(stop)` on an own event loop until it returns, fails, or `stop` is set.

    A failure is kept and shown by `failure`: whoever supervises asks, and nothing dies unseen.
    """

    def __init__(self, name: str, main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
        self._main = main
        self._name = name
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._started.wait()

    @property
    def failure(self) -> str | None:
        """What ended it, where it ended by itself."""
        return None if self._failure is None else f"{type(self._failure).__name__}: {self._failure}"

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive()

    def stop(self, timeout: float = 5.0) -> None:
        """Ask it to end and wait. Raises TimeoutError where it does not."""
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout)
        if self._thread.is_alive():
            raise TimeoutError(f"{self._name} did not stop within {timeout} s")

    def _run(self) -> None:
        try:
            asyncio.run(self._hold())
        except Exception as error:
            logger.exception("%s ended", self._name)
            self._failure = error

    async def _hold(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._started.set()
        await self._main(self._stop)
