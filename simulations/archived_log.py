"""Archived FEED as a log to replay, of which joiners make the same EXAMPLES.

What a joiner emits depends on its partition's messages and their times alone, so a replay gives every message
the time of its append as the log's clock, as it does with a recording. Impressions hold their features by
value: nothing is computed anew. States begin empty: where the archive's beginning is missing, the same rows
are joined with the features that were served, and less is known of people.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from actors.archive_files import ArchiveError, ArchiveFiles
from actors.archive_reader import read_feed
from messages.codec import MalformedMessageError
from messages.feed import FeedMessage
from simulations.kuairand import ReplayWindow
from simulations.replay_windows import windows_of

logger = logging.getLogger(__name__)


class ArchivedLog:
    """All of the archive, stream after stream. window_rows: events in a window, about.

    num_broken: messages that could not be read, now as then.
    """

    def __init__(self, files: ArchiveFiles, *, num_partitions: int, window_rows: int = 256) -> None:
        """Raises ArchiveError where there is no archive, or it has more partitions."""
        self._files = files
        self._num_partitions = num_partitions
        self._window_rows = window_rows
        self.num_broken = 0
        self._num_rows = sum(window.num_rows for window in self.windows())

    def __len__(self) -> int:
        """Events that people sent."""
        return self._num_rows

    def windows(self) -> Iterator[ReplayWindow]:
        """Yield the messages in their order."""
        return windows_of(
            self._messages(), num_partitions=self._num_partitions, window_rows=self._window_rows
        )

    def _messages(self) -> Iterator[tuple[int, FeedMessage]]:
        self.num_broken = 0
        for archived in read_feed(self._files):
            if archived.partition >= self._num_partitions:
                raise ArchiveError(
                    f"{self._files.root} has a partition {archived.partition}, the settings "
                    f"{self._num_partitions} partitions: set num_partitions as it was"
                )
            try:
                message = FeedMessage.decode(archived.data)
            except MalformedMessageError:
                self.num_broken += 1
                continue
            time = archived.append_time if message.log_time is None else message.log_time
            yield archived.partition, FeedMessage(message.records, time)
        if self.num_broken:
            logger.warning("%d archived messages cannot be read and are passed over", self.num_broken)
