"""More requests than can be answered soon are refused at once, so that those taken keep their time."""

from __future__ import annotations

from prometheus_client import Counter
from starlette.types import ASGIApp, Receive, Scope, Send

from serve_app.http.json_answers import problem

NEVER_SHED = frozenset({"/v1/health", "/v1/status", "/metrics"})
"""What operators look at when a system is overloaded."""


class LoadShedding:
    """ASGI middleware: at most `max_under_way` requests at a time, 429 with Retry-After for the next.

    One thread ranks, so n requests under way wait for n rankings: the bound on their number is a bound on
    the time of each, and there is no queue that would have to be worked off after a peak.
    """

    def __init__(self, app: ASGIApp, max_under_way: int, retry_after_seconds: int, shed: Counter) -> None:
        self._app = app
        self._max_under_way = max_under_way
        self._retry_after = str(retry_after_seconds)
        self._shed = shed
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in NEVER_SHED:
            await self._app(scope, receive, send)
            return
        if self._under_way >= self._max_under_way:
            self._shed.inc()
            reason = f"{self._under_way} requests are under way: try again after Retry-After seconds"
            await problem(429, "", reason, {"Retry-After": self._retry_after})(scope, receive, send)
            return
        self._under_way += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._under_way -= 1
