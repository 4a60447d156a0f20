"""Archives one stream exactly once: a crash at any step loses no message and writes none twice.

Where a writer goes on is read from the names of the files that are there; a file gets its name in one rename,
after it is written whole. What a writer that died had collected is still in the stream and is read again.
Where a file ends may depend on time: readers go by sequences.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime

import pyarrow as pa

from actors.archive_files import ArchiveFiles, ArchiveSettings, StreamKind, hour_label, stream_label
from actors.archive_tables import examples_table, feed_table
from actors.stream_reader import StreamMessage

logger = logging.getLogger(__name__)

_TABLES: dict[StreamKind, Callable[[Sequence[StreamMessage]], pa.Table]] = {
    "feed": feed_table,
    "examples": examples_table,
}


class ArchiveWriter:
    """Collects the messages of one stream and writes them, an hour of it at most in a file.

    num_lost: messages that the stream no longer had when they should have been archived.
    """

    def __init__(
        self,
        files: ArchiveFiles,
        kind: StreamKind,
        stream: str,
        settings: ArchiveSettings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """stream: its label, see `stream_label`. Reads where the archive stands."""
        self._files = files
        self._kind = kind
        self._stream = stream
        self._settings = settings
        self._clock = clock
        self._waiting: list[StreamMessage] = []
        self._waiting_bytes = 0
        self._waiting_since = 0.0
        files.remove_partial(kind, stream)
        self.archived = files.last_sequence(kind, stream)
        self._read = self.archived
        self.num_lost = 0

    @classmethod
    def of_stream(
        cls,
        files: ArchiveFiles,
        kind: StreamKind,
        namespace: str,
        created: datetime,
        settings: ArchiveSettings,
    ) -> ArchiveWriter:
        """created: when the stream was made; sequences of another mean something else."""
        return cls(files, kind, stream_label(namespace, created), settings)

    @property
    def next_sequence(self) -> int:
        """The first sequence that has not been added."""
        return self._read + 1

    @property
    def num_waiting(self) -> int:
        return len(self._waiting)

    def add(self, messages: Sequence[StreamMessage]) -> None:
        """Take the stream's next messages, writing every file that is full; known ones are passed over."""
        for message in messages:
            if message.sequence <= self._read:
                continue
            self._count_lost(message.sequence)
            if self._waiting and hour_label(message.append_time) > hour_label(self._waiting[0].append_time):
                self.flush()
            if not self._waiting:
                self._waiting_since = self._clock()
            self._waiting.append(message)
            self._waiting_bytes += len(message.data)
            self._read = message.sequence
            if self._waiting_bytes >= self._settings.max_file_bytes:
                self.flush()

    def flush_if_old(self) -> None:
        """Write what has waited for as long as it may."""
        if self._waiting and self._clock() - self._waiting_since >= self._settings.max_wait_seconds:
            self.flush()

    def flush(self) -> None:
        """Write what waits. After an error it waits still, and may be flushed again."""
        if not self._waiting:
            return
        first, last = self._waiting[0].sequence, self._waiting[-1].sequence
        hour = hour_label(self._waiting[0].append_time)
        path = self._files.place_of(self._kind, self._stream, hour, first, last)
        partial = self._files.stage(path, _TABLES[self._kind](self._waiting))
        self._files.publish(partial, path)
        self.archived = last
        self._waiting, self._waiting_bytes = [], 0

    def _count_lost(self, sequence: int) -> None:
        if sequence > self._read + 1:
            lost = sequence - self._read - 1
            self.num_lost += lost
            logger.error(
                "%s: messages %d to %d were trimmed before they were archived",
                self._stream,
                self._read + 1,
                sequence - 1,
            )
