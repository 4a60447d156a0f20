"""What a joiner hands over: the rows of a stretch of FEED, and all that a new joiner needs to go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from messages.examples import ExampleBatch
from messages.examples_header import ExamplesHeader


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that was refused. reason: the field and what is wrong with it. raw: the record as it came.
    position: its FEED sequence."""

    reason: str
    raw: Any
    position: int


@dataclass(frozen=True, slots=True)
class Release:
    """Everything between the release before and `feed_position`.

    watermark: stream time there, epoch seconds. states: of every person changed in between, the bytes of
    user state and join state; they belong in the store together with `feed_position`, after the batch is in
    EXAMPLES. replay_from: recalling from there up to the feed position of *the release before this one* or
    up to this one's makes a new joiner equal to this one at that point: a crash between the append and the
    store leaves the states one release behind.
    """

    writer: str
    batch: ExampleBatch
    feed_position: int
    watermark: float
    replay_from: int
    states: Mapping[str, tuple[bytes, bytes]]

    def header(self, previous: int) -> ExamplesHeader:
        """Return the header of the message that carries the batch; previous: see ExamplesHeader."""
        return ExamplesHeader(self.writer, self.feed_position, self.watermark, self.replay_from, previous)


@dataclass(slots=True)
class JoinerCounts:
    """Since this joiner began. events: accepted ones, of which joined + orphans + uploads + capped. capped:
    over the influence cap, so that they train and count nothing. late: accepted, but older than the horizon.
    Nothing here goes into a row."""

    events: int = 0
    joined: int = 0
    orphans: int = 0
    capped: int = 0
    uploads: int = 0
    late: int = 0
    duplicates: int = 0
    impressions: int = 0
    dead_letters: int = 0
