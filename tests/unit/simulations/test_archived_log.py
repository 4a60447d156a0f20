"""Archived FEED gives joiners the same EXAMPLES again."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.archive_files import ArchiveFiles, ArchiveSettings
from actors.archive_reader import read_examples
from actors.archive_writer import ArchiveWriter
from actors.stream_reader import StreamMessage
from learners.joiner import JoinerSettings
from messages.examples import ExampleBatch
from messages.feed import FeedMessage
from simulations.archived_log import ArchivedLog
from simulations.datasets import open_log
from simulations.in_process_streams import InProcessStreams
from simulations.replay_log import LogFormatError
from tests.archived_streams import NUM_PARTITIONS, streams_of

FEED, EXAMPLES = streams_of()


def archived(root: Path) -> ArchiveFiles:
    files = ArchiveFiles(root)
    broken = StreamMessage("test.feed.1", len(FEED) + 1, FEED[-1].append_time, b"\xc1", None)
    for kind, messages in (("feed", [*FEED, broken]), ("examples", EXAMPLES)):
        writer = ArchiveWriter(files, kind, "test-1", ArchiveSettings(max_file_bytes=10_000))  # type: ignore[arg-type]
        writer.add(messages)
        writer.flush()
    return files


def test_a_replayed_archive_gives_the_examples_that_were_archived(tmp_path: Path) -> None:
    files = archived(tmp_path)
    streams = InProcessStreams(JoinerSettings(num_partitions=NUM_PARTITIONS))
    again: dict[int, list[ExampleBatch]] = {}
    log = ArchivedLog(files, num_partitions=NUM_PARTITIONS, window_rows=7)
    for window in log.windows():
        for partition, message in window.messages:
            streams.append(partition, message, window.last_time)
        for message in streams.join():
            again.setdefault(message.partition, []).append(message.batch)
    before: dict[int, list[ExampleBatch]] = {}
    for example in read_examples(files):
        before.setdefault(example.partition, []).append(example.batch)
    assert sum(len(batch) for batches in before.values() for batch in batches) > 30
    for partition, batches in before.items():
        assert (
            ExampleBatch.concatenate(again[partition]).encode() == ExampleBatch.concatenate(batches).encode()
        )
    assert log.num_broken == 1


def test_an_archive_is_a_dataset_like_the_others(tmp_path: Path) -> None:
    archived(tmp_path)
    log = open_log("archive", tmp_path.as_uri(), num_partitions=NUM_PARTITIONS)
    people = [
        record
        for message in FEED
        for kind, record in FeedMessage.decode(message.data).records
        if kind == "event" and "user_id" in record
    ]
    assert len(log) == len(people)


def test_what_cannot_be_replayed_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(LogFormatError, match=r"archive\.uri"):
        open_log("archive", tmp_path)
    archived(tmp_path)
    with pytest.raises(LogFormatError, match="num_partitions"):
        open_log("archive", tmp_path, num_partitions=2)
    with pytest.raises(LogFormatError, match="--from"):
        open_log("archive", tmp_path, num_partitions=NUM_PARTITIONS, max_rows=4)
