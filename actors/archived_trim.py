"""Streams of which an archive is kept are trimmed by the archivist: what is old goes once it is archived.

The broker trims by age whatever the archive holds, so a week without archivist, or without the place where it
writes, would lose events for good. The archivist therefore takes the age limit off a stream, notes it in the
stream's metadata, and purges by it. The size limit stays with the broker: a full stream refuses what is new.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from actors.names import Namespace

logger = logging.getLogger(__name__)

AGE_LIMIT = "foryou-max-age-seconds"
"""Key of the stream's metadata: the limit that was taken off it."""
_LOOK_SECONDS = 60.0


class ArchivedTrim:
    """Trims one stream by the age limit that it had."""

    def __init__(
        self,
        js: JetStreamContext,
        stream: str,
        clock: Callable[[], float] = time.time,
        look_seconds: float = _LOOK_SECONDS,
    ) -> None:
        """clock: epoch seconds, as the broker's append times."""
        self._js = js
        self._stream = stream
        self._clock = clock
        self._look_seconds = look_seconds
        self._max_age: float | None = None
        self._looked_at = float("-inf")

    async def take_over(self) -> None:
        """Take the age limit off the stream, if it has one."""
        config = (await self._js.stream_info(self._stream)).config
        noted = (config.metadata or {}).get(AGE_LIMIT)
        self._max_age = config.max_age or (None if noted is None else float(noted))
        if config.max_age:
            metadata = (config.metadata or {}) | {AGE_LIMIT: repr(float(config.max_age))}
            await self._js.update_stream(config.evolve(max_age=0.0, metadata=metadata))
            logger.info("%s is trimmed where it is archived", self._stream)

    async def trim(self, archived: int) -> int:
        """Purge what is over the age limit and not after sequence `archived`; returns the first that stays.

        Looks once in `look_seconds`; returns 0 where it did not.
        """
        if self._max_age is None or self._clock() - self._looked_at < self._look_seconds:
            return 0
        self._looked_at = self._clock()
        state = (await self._js.stream_info(self._stream)).state
        first = max(state.first_seq, 1)  # 0 in a stream that never held anything: no message has that number
        last = min(archived, state.last_seq)
        old = await self._first_younger(first, last + 1, self._clock() - self._max_age)
        if old > first:
            await self._js.purge_stream(self._stream, seq=old)
        return old

    async def _first_younger(self, low: int, high: int, moment: float) -> int:
        """Return the first sequence from `low` on that was appended at or after `moment`, `high` at most.

        Append times rise, so a week of messages is searched in some thirty looks; one that is gone counts as
        young.
        """
        while low < high:
            middle = (low + high) // 2
            if await self._append_time(middle) < moment:
                low = middle + 1
            else:
                high = middle
        return low

    async def _append_time(self, sequence: int) -> float:
        try:
            appended = (await self._js.get_msg(self._stream, sequence)).time
        except NotFoundError:
            return float("inf")
        assert appended is not None
        return appended.timestamp()


async def give_back_trimming(js: JetStreamContext, namespace: Namespace) -> None:
    """Give streams the age limit back that an archivist took off them, where no archive is kept any more."""
    for stream in (namespace.feed_stream, namespace.examples_stream):
        config = (await js.stream_info(stream)).config
        metadata = dict(config.metadata or {})
        noted = metadata.pop(AGE_LIMIT, None)
        if noted is not None:
            await js.update_stream(config.evolve(max_age=float(noted), metadata=metadata))
