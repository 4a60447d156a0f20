"""Keeps a replica at the shards' newest version, between requests."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from pydantic import BaseModel, ConfigDict, Field

from messages.updates import ModelDelta, Position
from serve_app.model_replica import NO_VERSION, SLICE_ROWS, DeltaGapError, ModelReplica
from serve_app.ports import ModelChanges
from serve_app.serving_metrics import ServingMetrics

logger = logging.getLogger(__name__)

_ROWS_BEFORE_REQUESTS = SLICE_ROWS // 2
"""Changed rows after which requests come first; with the slice that fills it up, some 3 ms."""


class DeltaFollowerSettings(BaseModel):
    """Seconds: how long one poll may wait, and the shortest and the longest pause after an error.
    max_waiting: requests that wait for a version at a time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    poll_seconds: float = Field(1.0, gt=0)
    first_retry_seconds: float = Field(0.1, gt=0)
    max_retry_seconds: float = Field(5.0, gt=0)
    max_waiting: int = Field(16, ge=1)


class DeltaFollower:
    """Long-polls for deltas and applies them slice by slice, giving way to requests in between.

    All requests that wait are answered each time it gives way, so it does so by the rows that were changed,
    not by slices: a delta has a slice for each table, most of them small, and would wait a dozen rankings.

    Whatever goes wrong, the replica serves on with what it has; `last_error` and the log say what it is and
    how stale the model has become. After an error while applying, everything is asked for anew.
    """

    def __init__(
        self,
        changes: ModelChanges,
        replica: ModelReplica,
        settings: DeltaFollowerSettings,
        *,
        clock: Callable[[], float],
        metrics: ServingMetrics,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._changes = changes
        self._replica = replica
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._sleep = sleep
        self._wants_everything = False
        self._num_errors = 0
        self._moved = asyncio.Event()
        self._num_waiting = 0
        self._heard_at = clock()
        """When the last answer came, with news or without."""
        self.last_error: str | None = None

    async def reached(self, counter: int, timeout: float) -> bool:
        """Wait for `timeout` seconds at most until the replica stands at this version or a later one; say
        whether it does.

        Nobody waits where nothing has been heard for longer than that, or where many wait already: the model
        is away, and requests that wait for it in vain would take the room of all that may be under way.
        """
        is_away = self._clock() - self._heard_at > self._settings.poll_seconds + timeout
        if is_away or self._num_waiting >= self._settings.max_waiting:
            return self._replica.counter >= counter
        self._num_waiting += 1
        try:
            async with asyncio.timeout(timeout):
                while self._replica.counter < counter:
                    await self._moved.wait()
        except TimeoutError:
            return self._replica.counter >= counter
        finally:
            self._num_waiting -= 1
        return True

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            await self._sleep(await self.follow_once())  # 0 too gives way, however fast the answers come

    async def follow_once(self) -> float:
        """Poll once and apply what came. Returns for how many seconds to pause before the next poll."""
        counter = NO_VERSION if self._wants_everything else self._replica.counter
        try:
            deltas = await self._changes.changes_after(counter, self._settings.poll_seconds)
            self._heard_at = self._clock()
            for delta in deltas:
                await self._apply(delta)
        except DeltaGapError as gap:
            self._wants_everything = True
            return self._failed(gap)
        except Exception as error:
            # The port may fail in as many ways as there are networks, and serving must outlive them all.
            logger.warning("Following the model failed.", exc_info=True)
            return self._failed(error)
        self._tell_age(self._clock() - self._replica.as_of)
        self._wants_everything = False
        self._num_errors = 0
        self.last_error = None
        return 0.0

    async def _apply(self, delta: ModelDelta) -> None:
        before = self._replica.positions
        slices = self._replica.apply(delta)
        self._wants_everything = True  # until the last slice is in
        num_changed = 0
        for num_rows in slices:
            self._metrics.delta_rows.inc(num_rows)
            num_changed += num_rows
            if num_changed >= _ROWS_BEFORE_REQUESTS:
                num_changed = 0
                await self._sleep(0)
        self._wants_everything = False
        self._moved.set()  # wakes who waits now; who comes later waits for the next
        self._moved = asyncio.Event()
        self._metrics.model_version.labels(self._replica.model_id).set(delta.version.counter)
        now = self._clock()
        if not delta.full:
            self._metrics.sync_seconds.observe(max(0.0, now - delta.created_at))
        for partition, position in delta.positions.items():
            if position.examples > before.get(partition, Position()).examples and not delta.full:
                self._metrics.observe_freshness(max(0.0, now - position.watermark))

    def _failed(self, error: Exception) -> float:
        self._num_errors += 1
        self._metrics.delta_errors.inc()
        age = self._clock() - self._replica.as_of
        self._tell_age(age)
        self.last_error = f"{type(error).__name__}: {error}"
        how_stale = (
            "there is no model yet" if self._replica.version is None else f"the model is {age:.1f} s old"
        )
        logger.warning("Serving on, %s: %s", how_stale, self.last_error)
        pause = self._settings.first_retry_seconds * 2.0 ** min(self._num_errors - 1, 30)
        return min(pause, self._settings.max_retry_seconds)

    def _tell_age(self, seconds: float) -> None:
        self._metrics.model_age.labels(self._replica.model_id).set(max(0.0, seconds))
