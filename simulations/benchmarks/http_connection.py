"""One kept-open HTTP/1.1 connection that costs little: bytes out, status and body back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

Answered = Callable[[int, bytes], None]

BROKEN = 0
"""The status of a request whose connection was closed before its answer."""


class HttpConnection(asyncio.Protocol):
    """One request at a time. Understands answers with a Content-Length and chunked ones."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._answered: Answered | None = None

    @classmethod
    async def open(cls, host: str, port: int) -> HttpConnection:
        """Connect. Raises OSError."""
        _, connection = await asyncio.get_running_loop().create_connection(cls, host, port)
        return connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def ask(self, request: bytes, answered: Answered) -> None:
        """Send a whole request; `answered` gets status and body, or BROKEN."""
        self._answered = answered
        if self._transport is None or self._transport.is_closing():
            self._finish(BROKEN, b"")
            return
        self._transport.write(request)

    async def asked(self, request: bytes) -> tuple[int, bytes]:
        """Send a whole request and wait for status and body."""
        answer: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
        self.ask(request, lambda status, body: answer.done() or answer.set_result((status, body)))
        return await answer

    def data_received(self, data: bytes) -> None:
        self._received = self._received + data if self._received else data
        head_end = self._received.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = self._received[:head_end].lower()
        at = head.find(b"\r\ncontent-length:")
        if at >= 0:
            line_end = head.find(b"\r\n", at + 2)
            length = int(head[at + 17 : line_end if line_end >= 0 else len(head)])
            if len(self._received) < head_end + 4 + length:
                return
            body = self._received[head_end + 4 : head_end + 4 + length]
        elif b"transfer-encoding: chunked" in head:
            if not self._received.endswith(b"0\r\n\r\n"):
                return
            body = _joined(self._received[head_end + 4 :])
        else:
            body = b""  # 204 and the like
        status = int(self._received[9:12])
        self._received = b""
        self._finish(status, body)

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None
        self._finish(BROKEN, b"")

    def close(self) -> None:
        self._answered = None
        if self._transport is not None:
            self._transport.close()

    def _finish(self, status: int, body: bytes) -> None:
        answered, self._answered = self._answered, None
        if answered is not None:
            answered(status, body)


def _joined(chunks: bytes) -> bytes:
    parts = []
    while chunks:
        size, _, rest = chunks.partition(b"\r\n")
        length = int(size, 16)
        if length == 0:
            break
        parts.append(rest[:length])
        chunks = rest[length + 2 :]
    return b"".join(parts)
