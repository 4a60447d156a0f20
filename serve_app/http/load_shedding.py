"""More requests than can be answered soon are refused at once, so that those taken keep their time."""

from __future__ import annotations

from prometheus_client import Counter
from starlette.types import ASGIApp, Receive, Scope, Send

from serve_app.http.json_answers import problem

NEVER_SHED = frozenset({"/v1/health", "/v1/status", "/metrics"})
"""What operators look at when a system is overloaded."""


class RequestRoom:
    """How many requests may be under way: `max_under_way`, and up to `max_burst` after a pause.

    One thread ranks, so n requests under way wait for n rankings: the bound on their number is a bound on the
    time of each. A pause (a process that starts takes the core, the store does not answer) lets requests pile
    up that are worked off soon after; a queue that stands does not get shorter, whatever is taken in. What
    tells them apart is not the clock, which goes on in a pause, but answers: from the moment the queue was
    last short, each answer takes one place of the burst away, until the queue is short again (the standing
    queue of Nichols and Jacobson, "Controlling Queue Delay", ACM Queue 10(5), 2012, counted in answers).
    """

    def __init__(self, max_under_way: int, max_burst: int) -> None:
        self._max_under_way = max_under_way
        self._max_burst = max(max_burst, max_under_way)
        self._short = max_under_way // 4
        self._answers_since_short = 0
        self.under_way = 0

    @property
    def is_full(self) -> bool:
        room = max(self._max_burst - self._answers_since_short, self._max_under_way)
        return self.under_way >= room

    def enter(self) -> None:
        self.under_way += 1

    def leave(self) -> None:
        self.under_way -= 1
        self._answers_since_short = 0 if self.under_way <= self._short else self._answers_since_short + 1


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
