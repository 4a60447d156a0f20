"""More requests than can be answered soon are refused at once, so that those taken keep their time."""

from __future__ import annotations

import time
from collections.abc import Callable

from prometheus_client import Counter
from starlette.types import ASGIApp, Receive, Scope, Send

from serve_app.http.json_answers import problem

NEVER_SHED = frozenset({"/v1/health", "/v1/status", "/metrics"})
"""What operators look at when a system is overloaded."""

_FIRST_SECONDS_EACH = 0.01
_MEASURED = 16
_NEWEST_WEIGHT = 0.3
_LONGEST_OF_PACE = 2.0
"""A longer time between answers, in usual ones, has a pause in it, which says little of the pace."""
_WAITING = 4
"""So many are left: the next answer comes as soon as this process can, not as its store and broker do."""
_LEAST = 16
_BURST = 2.0


class RequestRoom:
    """How many requests may be under way: as many as are answered within `max_wait_seconds`.

    One thread ranks, so a request waits for the rankings of those before it, and the time of one ranking,
    measured while several wait, says how many that may be. `max_under_way` bounds it however fast that is.

    A pause (a process that starts takes the core, the store does not answer) lets requests pile up that are
    worked off soon after; a queue that stands does not get shorter, whatever is taken in. What tells them
    apart is not the clock, which goes on in a pause, but answers: twice as many are taken at first, and from
    the moment the queue was last short every second answer takes one of these places away, until it is short
    again (the standing queue of Nichols and Jacobson, "Controlling Queue Delay", ACM Queue 10(5), 2012,
    counted in answers).
    """

    def __init__(
        self,
        max_wait_seconds: float,
        max_under_way: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_wait_seconds = max_wait_seconds
        self._max_under_way = max_under_way
        self._clock = clock
        self._seconds_each = _FIRST_SECONDS_EACH
        self._measured_from: float | None = None
        self._num_measured = 0  # answers since then, with requests waiting all the while
        self._answers_since_short = 0
        self.under_way = 0

    @property
    def seconds_each(self) -> float:
        """How far apart answers are while requests wait."""
        return self._seconds_each

    @property
    def is_full(self) -> bool:
        standing = self._max_wait_seconds / self._seconds_each
        room = max(standing, _BURST * standing - self._answers_since_short / 2, _LEAST)
        return self.under_way >= min(room, self._max_under_way)

    def enter(self) -> None:
        self.under_way += 1

    def leave(self) -> None:
        self.under_way -= 1
        self._measure_pace()
        is_short = self.under_way <= self._max_wait_seconds / self._seconds_each / 4
        self._answers_since_short = 0 if is_short else self._answers_since_short + 1

    def _measure_pace(self) -> None:
        """Answers come in bunches, so the time of several is taken, from one of them to another."""
        now = self._clock()
        if self.under_way < _WAITING:
            self._measured_from = None
        elif self._measured_from is None:
            self._measured_from, self._num_measured = now, 0
        else:
            self._num_measured += 1
            if self._num_measured == _MEASURED:
                each = (now - self._measured_from) / _MEASURED
                each = min(each, _LONGEST_OF_PACE * self._seconds_each)
                self._seconds_each += _NEWEST_WEIGHT * (each - self._seconds_each)
                self._measured_from, self._num_measured = now, 0


class LoadShedding:
    """ASGI middleware: takes requests while there is room, 429 with Retry-After for the next."""

    def __init__(self, app: ASGIApp, room: RequestRoom, retry_after_seconds: int, shed: Counter) -> None:
        self._app = app
        self._room = room
        self._retry_after = str(retry_after_seconds)
        self._shed = shed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in NEVER_SHED:
            await self._app(scope, receive, send)
            return
        if self._room.is_full:
            self._shed.inc()
            reason = f"{self._room.under_way} requests are under way: try again after Retry-After seconds"
            await problem(429, "", reason, {"Retry-After": self._retry_after})(scope, receive, send)
            return
        self._room.enter()
        try:
            await self._app(scope, receive, send)
        finally:
            self._room.leave()
