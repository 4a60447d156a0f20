"""A TCP relay that can be cut: how a network that fails looks to both of its ends."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType

_LOOPBACK = "127.0.0.1"
_CHUNK_BYTES = 64 * 1024


class CutProxy:
    """Relays one port to another, in a thread of its own. A context manager.

    While it is cut, connections that were open carry nothing and are not closed (what a network does), and
    new ones are refused; when it is mended, those cut are reset, so that both ends notice. Cut twice, it is
    mended by the second `mend`.
    """

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="cut-proxy", daemon=True)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._flows = asyncio.Event()
        self._num_cuts = 0
        self.port = 0

    def __enter__(self) -> CutProxy:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> None:
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result()

    def mend(self) -> None:
        asyncio.run_coroutine_threadsafe(self._mend(), self._loop).result()

    async def _listen(self) -> None:
        self._flows.set()
        self._server = await asyncio.start_server(self._relay, _LOOPBACK, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _cut(self) -> None:
        assert self._server is not None
        self._num_cuts += 1
        self._flows.clear()
        self._server.close()

    async def _mend(self) -> None:
        self._num_cuts -= 1
        if not self._num_cuts:
            self._reset_all()
            await self._listen()

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        self._flows.set()
        self._reset_all()
        await asyncio.sleep(0)

    def _reset_all(self) -> None:
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(_LOOPBACK, self._to_port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, back}
        try:
            await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
        except OSError:
            writer.transport.abort()
            back.transport.abort()
        finally:
            self._writers -= {writer, back}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK_BYTES):
            await self._flows.wait()
            writer.write(data)
            await writer.drain()
        writer.close()
