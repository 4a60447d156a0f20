"""Waits for the first of several places to have news, with one question under way at each."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping

logger = logging.getLogger(__name__)

_QUESTION_SECONDS = 2.5
"""How long a place is asked to wait: below the store's time-out, and so long that asking costs nothing."""
_ANSWER_SECONDS = 2.5

Place = Callable[[float], Awaitable[bool]]
"""Waits for so many seconds at most, and says whether there are news."""


def until_set(event: asyncio.Event) -> Place:
    """Return the place whose news is that an event is set."""

    async def wait(seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), seconds)
        return event.is_set()

    return wait


class AwaitedNews:
    """Made in the loop that waits. Close it at the end.

    A question without an answer is kept for the next wait: a process that is asked cannot be told to stop. It
    is still the right one, since a place that has not answered has no news for who asked.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._interrupted = asyncio.Event()
        self._questions: dict[str, asyncio.Task[bool]] = {}

    def interrupt(self) -> None:
        """End the wait that goes on, or the next one. May be called from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._interrupted.set)

    async def wait(self, places: Mapping[str, Place], seconds: float) -> None:
        """Return when one of the places has news or cannot be asked, or after so many seconds."""
        asked = {"interruption": until_set(self._interrupted), **places}
        for gone in self._questions.keys() - asked.keys():
            self._questions.pop(gone).cancel()
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            for place in asked.keys() - self._questions.keys():
                self._questions[place] = asyncio.create_task(_ask(asked[place]))
            await asyncio.wait(self._questions.values(), timeout=left, return_when=asyncio.FIRST_COMPLETED)
            answered = [place for place, question in self._questions.items() if question.done()]
            answers = [self._questions.pop(place).result() for place in answered]
            if any(answers):
                break
        self._interrupted.clear()

    def close(self) -> None:
        """Wait for no more answers."""
        for question in self._questions.values():
            question.cancel()
        self._questions.clear()


async def _ask(place: Place) -> bool:
    try:
        async with asyncio.timeout(_QUESTION_SECONDS + _ANSWER_SECONDS):
            return await place(_QUESTION_SECONDS)
    except Exception as error:  # noqa: BLE001 whoever reads there next meets it too, and says so
        logger.debug("a place cannot be asked for news: %s", error)
        return True
