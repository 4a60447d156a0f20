"""Reads the archive back: every message once, in the order of its stream, the oldest stream first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow.compute as pc

from actors.archive_files import ArchivedFile, ArchiveError, ArchiveFiles, StreamKind
from actors.archive_tables import (
    ArchivedFeedMessage,
    examples_messages_of,
    feed_messages_of,
)
from learners.span_cutter import ExamplesMessage
from messages.updates import Position


@dataclass(frozen=True, slots=True)
class ArchiveEnd:
    """How far EXAMPLES are archived. stream: the newest one's label. positions: by partition. examples: rows
    archived of that stream, by partition."""

    stream: str
    positions: dict[int, Position]
    examples: dict[int, int]


def files_to_read(files: ArchiveFiles, kind: StreamKind) -> list[ArchivedFile]:
    """Return the files that together hold every message; none whose messages another one holds.

    Raises ArchiveError where there are none. Two writers on one archive (one of which should have been dead)
    leave files that overlap; `first` of a file returned says from where it is to be read.
    """
    chosen: list[ArchivedFile] = []
    for file in sorted(files.list(kind), key=lambda file: (file.stream, file.first, -file.last)):
        before = chosen[-1].last if chosen and chosen[-1].stream == file.stream else 0
        if file.last > before:
            chosen.append(ArchivedFile(file.stream, max(file.first, before + 1), file.last, file.path))
    if not chosen:
        raise ArchiveError(f"{files.root} holds no archived {kind}: is archive.uri set, and has it run?")
    return chosen


def read_feed(files: ArchiveFiles) -> Iterator[ArchivedFeedMessage]:
    """Yield archived FEED. Raises ArchiveError."""
    for file in files_to_read(files, "feed"):
        for message in feed_messages_of(files.read(file)):
            if message.sequence >= file.first:
                yield message


def read_examples(files: ArchiveFiles) -> Iterator[ExamplesMessage]:
    """Yield archived EXAMPLES as a learner reads them from the stream. Raises ArchiveError."""
    for file in files_to_read(files, "examples"):
        for message in examples_messages_of(files.read(file)):
            if message.sequence >= file.first:
                yield message


def examples_end(files: ArchiveFiles) -> ArchiveEnd:
    """Return where the archive of the newest EXAMPLES stream ends. Raises ArchiveError."""
    newest = files_to_read(files, "examples")
    stream = newest[-1].stream
    positions: dict[int, Position] = {}
    examples: dict[int, int] = {}
    columns = ["sequence", "partition", "feed_position", "watermark", "event_type"]
    for file in newest:
        if file.stream != stream:
            continue
        table = files.read(file, columns)
        table = table.filter(pc.greater_equal(table["sequence"], file.first))
        rows = table.group_by("partition", use_threads=False).aggregate(
            [
                ("sequence", "last"),
                ("feed_position", "last"),
                ("watermark", "last"),
                ("event_type", "count"),
            ]
        )
        for row in rows.to_pylist():
            partition = row["partition"]
            positions[partition] = Position(
                row["sequence_last"], row["feed_position_last"], row["watermark_last"]
            )
            examples[partition] = examples.get(partition, 0) + row["event_type_count"]
    return ArchiveEnd(stream, positions, examples)
