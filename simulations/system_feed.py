"""A running system behind the interface of a simulated feed, over its HTTP API.

The world's hours pass as fast as the system answers, and events carry the time of the clock: in the system, a
simulated day lasts minutes. Names get a prefix of their own, so that runs on one system do not meet.
"""

from __future__ import annotations

import time
import uuid
from types import TracebackType
from typing import Any

import httpx
import numpy as np

from messages.arrays import IntArray
from simulations.behaviour import Viewer, WatchedSlate
from simulations.feed_api import FeedApiError, upload_event
from simulations.world import World

_UPLOAD_BATCH = 200
_START_PATIENCE = 60.0


class RunningSystemFeed:
    """A context manager. transport: what carries the requests, None for the network. key: where the API asks
    for one."""

    def __init__(
        self,
        base_url: str,
        world: World,
        *,
        transport: httpx.BaseTransport | None = None,
        name: str = "",
        key: str | None = None,
    ) -> None:
        headers = {} if key is None else {"X-API-Key": key}
        self._http = httpx.Client(base_url=base_url, timeout=30.0, headers=headers, transport=transport)
        self._world = world
        self._prefix = f"{name or uuid.uuid4().hex[:8]}-"
        upload_times = -world.contents.ages
        self._uploads = np.argsort(upload_times, kind="stable").tolist()
        self._upload_times = upload_times[self._uploads].tolist()
        self._num_uploaded = 0
        self._is_served = False

    def __enter__(self) -> RunningSystemFeed:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def serve(self, viewer: Viewer, limit: int) -> tuple[IntArray, str | None]:
        """Raises FeedApiError."""
        self._upload(viewer.moment)
        deadline = time.monotonic() + _START_PATIENCE
        while True:
            path = f"/v1/feed/{self._prefix}{viewer.user_id}"
            answer = self._ask("GET", path, params={"limit": limit})
            names = [item["content_id"] for item in answer["items"]]
            own = [name.removeprefix(self._prefix) for name in names if name.startswith(self._prefix)]
            if own or self._is_served or time.monotonic() > deadline:
                break
            time.sleep(0.1)  # the first uploads are on their way to the replicas
        self._is_served = True
        contents = np.array([self._world.contents.index_of(name) for name in own], dtype=np.int64)
        return contents, answer["request_id"]

    def tell(self, viewer: Viewer, contents: IntArray, slate: WatchedSlate) -> None:  # noqa: ARG002
        """Raises FeedApiError."""
        now = time.time()
        events = []
        for event in slate.events:
            named = {
                key: f"{self._prefix}{event[key]}"
                for key in ("user_id", "content_id", "creator_id")
                if key in event
            }
            events.append({**event, **named, "timestamp": now})
        if events:
            self._ask("POST", "/v1/events", json={"events": events})

    def _upload(self, moment: float) -> None:
        first, now = self._num_uploaded, time.time()
        while self._num_uploaded < len(self._uploads) and self._upload_times[self._num_uploaded] <= moment:
            self._num_uploaded += 1
        events: list[dict[str, Any]] = []
        for index in self._uploads[first : self._num_uploaded]:
            event = upload_event(self._world.contents.facts(index, now - moment))
            ids = {key: f"{self._prefix}{event[key]}" for key in ("content_id", "creator_id")}
            events.append({**event, **ids})
        for start in range(0, len(events), _UPLOAD_BATCH):
            self._ask("POST", "/v1/events", json={"events": events[start : start + _UPLOAD_BATCH]})

    def _ask(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        try:
            response = self._http.request(method, path, **arguments)
        except httpx.HTTPError as error:
            raise FeedApiError(f"{method} {path}: {type(error).__name__} {error}") from error
        if response.is_error:
            raise FeedApiError(f"{method} {path}: {response.status_code} {response.text[:300]}")
        answer: dict[str, Any] = response.json()
        return answer
