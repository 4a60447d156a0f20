"""Counts and times every request under its route's template."""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app.serving_metrics import ServingMetrics


class RequestMetrics:
    """ASGI middleware. Paths that match no route are counted together, or anybody could add series."""

    def __init__(
        self, app: ASGIApp, metrics: ServingMetrics, timer: Callable[[], float] = time.perf_counter
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._timer = timer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = self._timer()
        status = 500

        async def noted_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted_send)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            self._metrics.observe_request(route, status, self._timer() - started)
