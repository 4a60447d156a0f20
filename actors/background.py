"""A coroutine in a thread of its own: how a plain class goes on working between the calls it answers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0
_PROVEN_SECONDS = 3.0
"""A run that lasts so long has got over what ended the one before."""
_BEHIND_NICENESS = 5
"""About a third of a full share where cores are short, all of it where they are not (sched(7))."""
_GRACE_SECONDS = 4.0
"""A run that was asked to stop and waits for a dead broker or store is cancelled after this."""


class BackgroundTask:
    """Runs `main(stop)` on an own event loop until it returns or `stop` is set; begins it again if it fails.

    `main` must find out by itself where to go on, also after it was cancelled. Pauses between runs double,
    from 0.2 s to 5 s. An error in `stays_down` needs an operator (or says that somebody else does the work
    now): it ends the task for good. One that `gives_way` is what neither an answer nor a version of the model
    waits for: where cores are short, replicas, joiners and learners have them first.
    """

    def __init__(
        self,
        name: str,
        main: Callable[[asyncio.Event], Awaitable[None]],
        *,
        stays_down: tuple[type[Exception], ...] = (),
        gives_way: bool = False,
    ) -> None:
        self._main = main
        self._gives_way = gives_way
        self._name = name
        self._stays_down = stays_down
        self._failure: Exception | None = None
        self._run_began = 0.0
        self._num_restarts = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._started.wait()

    @property
    def failure(self) -> str | None:
        """What ended it, or what ended its last run while the present one has not proved itself."""
        error = self._failure
        if error is None or (self.is_running and time.monotonic() - self._run_began >= _PROVEN_SECONDS):
            return None
        return f"{type(error).__name__}: {error}"

    @property
    def is_running(self) -> bool:
        """Whether it works, or will again by itself."""
        return self._thread.is_alive()

    @property
    def num_restarts(self) -> int:
        return self._num_restarts

    def stop(self, timeout: float = 5.0) -> None:
        """Ask it to end and wait. Raises TimeoutError where it does not."""
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # its loop closed just now: it ended by itself
                self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout)
        if self._thread.is_alive():
            raise TimeoutError(f"{self._name} did not stop within {timeout} s")

    def _run(self) -> None:
        if self._gives_way and sys.platform == "linux":  # elsewhere a priority is the whole process's
            present = os.getpriority(os.PRIO_PROCESS, 0)
            os.setpriority(os.PRIO_PROCESS, 0, max(present, _BEHIND_NICENESS))
        asyncio.run(self._supervise())

    async def _supervise(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = stop = asyncio.Event()
        self._started.set()
        pause = _FIRST_PAUSE_SECONDS
        while not stop.is_set():
            self._run_began = time.monotonic()
            try:
                await self._run_once(stop)
                return
            except self._stays_down as error:
                logger.exception("%s stays down", self._name)
                self._failure = error
                return
            except Exception as error:
                logger.exception("%s failed, beginning again in %.1f s", self._name, pause)
                if time.monotonic() - self._run_began >= _PROVEN_SECONDS:
                    pause = _FIRST_PAUSE_SECONDS
                self._run_began = float("inf")  # between two runs the failure shows
                self._failure = error
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)
            self._num_restarts += 1
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _run_once(self, stop: asyncio.Event) -> None:
        running = asyncio.ensure_future(self._main(stop))
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            await asyncio.wait({running}, timeout=_GRACE_SECONDS)
        stopping.cancel()
        if running.done():
            await running
        else:
            logger.warning("%s was busy when asked to stop, and is cancelled", self._name)
            running.cancel()
            await asyncio.wait({running})
