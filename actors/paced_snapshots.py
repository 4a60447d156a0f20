"""Snapshots of a shard now and then, or when asked for, copied a slice at a time between its other calls."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from parameter_server.shard import ParameterShard
from parameter_server.shard_copy import ShardCopy
from parameter_server.snapshots import SnapshotSeries

logger = logging.getLogger(__name__)


_NICENESS = 10
"""Of who writes, above the shard's own: about a tenth of a core that others want."""


def give_way() -> None:
    """Let other work of this machine go before this thread's, where the system can (Linux): shards write
    their bases at the same time, a second of each core at a million contents, in which feeds would wait."""
    if sys.platform == "linux":
        os.nice(_NICENESS)  # there it is the thread's own


class PacedSnapshots:
    """Belongs to the shard's thread; the writing goes on in another."""

    def __init__(self, shard: ParameterShard, root: Path | str, every_seconds: float, num_kept: int) -> None:
        self._series = SnapshotSeries(shard, root, keep=num_kept)
        self._every_seconds = every_seconds
        self._copy: ShardCopy | None = None
        self._writer = ThreadPoolExecutor(1, f"snapshots-of-shard-{shard.shard_id}", give_way)
        self._writing: Future[str] | None = None
        self._written_at = time.monotonic()
        self._has_news = False
        self._num_begun = 0
        self._locations: dict[int, str] = {}
        self._failed = 0
        self._pinned: dict[str, str] | None = None
        """By pin the snapshot that it holds; None until somebody asks."""
        self._pins_to_write: set[str] = set()
        """Of the next snapshot that begins."""
        self._pins_in_writing: set[str] = set()
        self.failure: str | None = None
        """Why the newest snapshot could not be written (a full disk, say), until one is again."""

    @property
    def has_work(self) -> bool:
        """Whether the next call goes on with a snapshot. May be asked from another thread."""
        return self._copy is not None or self._writing is not None or (self._has_news and self._is_due())

    def note_news(self) -> None:
        """Something changed that the next snapshot, when it is due, must hold."""
        self._has_news = True

    def request(self) -> int:
        """Ask for a snapshot that begins with one of the next calls; returns its ticket."""
        self._has_news, self._written_at = True, float("-inf")
        # One that is under way may lack what changed since it began: the ticket is of the one after it.
        return self._num_begun + 1

    def keep_pinned(self, names: Iterable[str]) -> bool:
        """Hold a snapshot for each of these names, and for no other; True where each has one by now.

        A name without one gets the next, which is asked for. Safe to repeat; until it is repeated nothing
        else is let go. Raises OSError.
        """
        self._finish_writing(wait=False)
        if self._pinned is None:
            self._pinned = self._series.pinned()
        wanted = set(names)
        for name in set(self._pinned) - wanted:
            self._series.unpin(self._pinned[name], name)
            del self._pinned[name]
        missing = wanted - set(self._pinned)
        if missing - self._pins_to_write - self._pins_in_writing:
            self.request()
        self._pins_to_write = missing - self._pins_in_writing
        return not missing

    def location(self, ticket: int) -> str | None:
        """Return where the snapshot of a ticket, or a later one, is; None while it is being written.

        Raises OSError where it could not be written.
        """
        self.go_on()
        self._finish_writing(wait=False)
        if self._failed >= ticket:
            raise OSError(self.failure)
        return next((self._locations[number] for number in self._locations if number >= ticket), None)

    def go_on(self) -> None:
        """Copy one more slice of a snapshot that is under way, or begin one that is due.

        Calls wait for one slice at most. What cannot be written is tried again when the next is due: the
        shard goes on, and `failure` says so. What no snapshot holds is in the stream.
        """
        is_free = self._finish_writing(wait=False)
        if self._copy is not None:
            if self._copy.step():
                pins = sorted(self._pins_in_writing)
                self._writing = self._writer.submit(self._series.write, self._copy, pins=pins)
                self._copy = None
            return
        if self._is_due() and self._has_news and is_free:
            self._copy = self._series.begin()
            self._begun()

    def write_now(self) -> str:
        """Write what the shard holds now, whole, and return where, when it is kept. Raises OSError."""
        self._finish_writing(wait=True)
        self._copy = None
        self._begun()
        self._has_news = True  # until it is written
        location = self._series.take(pins=sorted(self._pins_in_writing))
        self._locations = {self._num_begun: location}
        self._note_pinned(location)
        self._has_news, self.failure = False, None
        return location

    def close(self) -> None:
        """Give up what is being copied, and wait for what is being written."""
        self._copy = None
        self._writer.shutdown(wait=True)

    def _is_due(self) -> bool:
        return time.monotonic() - self._written_at >= self._every_seconds

    def _begun(self) -> None:
        self._num_begun += 1
        self._pins_in_writing |= self._pins_to_write
        self._pins_to_write = set()
        self._written_at = time.monotonic()
        self._has_news = False

    def _finish_writing(self, *, wait: bool) -> bool:
        """Say whether nothing is being written, and note what became of what was."""
        if self._writing is None:
            return True
        if not wait and not self._writing.done():
            return False
        writing, self._writing = self._writing, None
        try:
            self._locations = {self._num_begun: writing.result()}
            self._note_pinned(self._locations[self._num_begun])
        except OSError as error:
            logger.exception("a snapshot could not be written")
            self._failed, self.failure = self._num_begun, f"snapshot not written: {error}"
            self._has_news = True
        else:
            self.failure = None
        return True

    def _note_pinned(self, location: str) -> None:
        if self._pinned is not None:
            directory = "/".join(location.rsplit("/", 2)[1:])
            self._pinned |= dict.fromkeys(self._pins_in_writing, directory)
        self._pins_in_writing = set()
