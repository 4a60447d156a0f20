"""Tells people: in the log, on a NATS subject, and to a webhook where one is set."""

from __future__ import annotations

import asyncio
import json
import logging
import urllib.error
import urllib.request
from collections import deque
from typing import Any

from nats.aio.client import Client
from nats.errors import Error as NatsError

logger = logging.getLogger(__name__)

_WEBHOOK_SECONDS = 5.0
_KEPT = 100


class AlertSender:
    """What cannot be sent is logged, and holds nobody up: rules go on while a webhook is away."""

    def __init__(self, nats: Client, subject: str, webhook: str | None) -> None:
        self._nats = nats
        self._subject = subject
        self._webhook = webhook
        self._posts: set[asyncio.Task[None]] = set()
        self.recent: deque[dict[str, Any]] = deque(maxlen=_KEPT)
        """The newest messages, oldest first."""
        self.num_failed = 0

    async def send(self, severity: str, text: str, time: float) -> None:
        """severity: page, warning or decision. time: epoch seconds."""
        message = {"severity": severity, "text": text, "time": time}
        self.recent.append(message)
        logger.warning("%s: %s", severity, text)
        body = json.dumps(message).encode()
        try:
            await self._nats.publish(self._subject, body)
        except NatsError as error:
            self._failed(f"NATS: {error}")
        if self._webhook is not None:
            post = asyncio.create_task(self._post(self._webhook, body))
            self._posts.add(post)
            post.add_done_callback(self._posts.discard)

    async def drain(self) -> None:
        """Wait until the webhook has answered, or has not in time."""
        await asyncio.gather(*self._posts)

    async def _post(self, webhook: str, body: bytes) -> None:
        request = urllib.request.Request(webhook, body, {"Content-Type": "application/json"})
        try:
            await asyncio.to_thread(lambda: urllib.request.urlopen(request, timeout=_WEBHOOK_SECONDS).close())
        except (urllib.error.URLError, TimeoutError, ValueError, OSError) as error:
            self._failed(f"{webhook}: {error}")

    def _failed(self, reason: str) -> None:
        self.num_failed += 1
        logger.error("an alert was not delivered: %s", reason)
