"""The archivist: carries FEED and EXAMPLES to Parquet files by hour, each message once."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from nats.errors import Error as NatsError

from actors.archive_files import ArchiveFiles, ArchiveSettings, StreamKind
from actors.archive_writer import ArchiveWriter
from actors.archived_trim import ArchivedTrim
from actors.background import BackgroundTask
from actors.connections import Connections, EndpointSettings
from actors.stream_reader import StreamReader

_FETCH_MESSAGES = 256
_FETCH_SECONDS = 0.5
_RETRY_SECONDS = 0.2
_LAST_FETCH_SECONDS = 0.1
_DRAIN_SECONDS = 3.0


class ArchiveActor:
    """Starts to work when constructed. What is not archived when it dies is read from the streams again."""

    def __init__(self, endpoints: EndpointSettings, settings: ArchiveSettings) -> None:
        """Raises ArchiveError for a place that cannot be used."""
        if settings.uri is None:
            raise ValueError("an archive needs archive.uri")
        self._endpoints = endpoints
        self._settings = settings
        self._files = ArchiveFiles(settings.uri)
        self._writers: dict[StreamKind, ArchiveWriter] = {}
        self._task = BackgroundTask("archive", self._run, gives_way=True)
        self._task.start()

    def status(self) -> dict[str, Any]:
        """Say how far each stream is archived, and how many messages were trimmed before they were."""
        writers = dict(self._writers)
        return {
            "running": self._task.is_running,
            "failure": self._task.failure,
            **{f"{kind}_archived": writer.archived for kind, writer in writers.items()},
            **{f"{kind}_waiting": writer.num_waiting for kind, writer in writers.items()},
            "lost": sum(writer.num_lost for writer in writers.values()),
        }

    def stop(self) -> None:
        """Archive what the streams hold, and end."""
        self._task.stop(timeout=2 * _DRAIN_SECONDS)

    async def _run(self, stop: asyncio.Event) -> None:
        async with await Connections.open(self._endpoints, "archive") as connections:
            namespace = connections.namespace
            await asyncio.gather(
                self._carry(stop, connections, "feed", namespace.feed_stream, namespace.feed_subject("*")),
                self._carry(
                    stop, connections, "examples", namespace.examples_stream, namespace.examples_subject("*")
                ),
            )

    async def _carry(
        self, stop: asyncio.Event, connections: Connections, kind: StreamKind, stream: str, subject: str
    ) -> None:
        info = await connections.js.stream_info(stream)
        created: Any = info.created
        assert isinstance(created, datetime)
        name = connections.namespace.name
        writer = await asyncio.to_thread(
            ArchiveWriter.of_stream, self._files, kind, name, created, self._settings
        )
        self._writers[kind] = writer
        reader = StreamReader(connections.nats, stream, [subject], writer.next_sequence)
        trim = ArchivedTrim(connections.js, stream)
        await trim.take_over()
        while not stop.is_set():
            await self._step(reader, writer, _FETCH_SECONDS)
            await asyncio.to_thread(writer.flush_if_old)
            await trim.trim(writer.archived)
        deadline = asyncio.get_running_loop().time() + _DRAIN_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            if not await self._step(reader, writer, _LAST_FETCH_SECONDS):
                break
        await asyncio.to_thread(writer.flush)
        await reader.close()

    async def _step(self, reader: StreamReader, writer: ArchiveWriter, timeout: float) -> bool:
        """Read what is there; False where that was nothing. Files are written beside the loop, so that the
        connection stays alive."""
        try:
            messages = await reader.fetch(_FETCH_MESSAGES, timeout)
        except NatsError:
            await asyncio.sleep(_RETRY_SECONDS)
            return False
        if messages:
            await asyncio.to_thread(writer.add, messages)
        return bool(messages)
