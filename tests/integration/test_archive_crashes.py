"""The archive gives back what the streams held, once, whenever its writer dies."""

from __future__ import annotations

import dataclasses
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.archive_files import ArchivedFile, ArchiveError, ArchiveFiles, ArchiveSettings, stream_label
from actors.archive_reader import examples_end, files_to_read, read_examples, read_feed
from actors.archive_tables import batch_of, examples_table
from actors.archive_writer import ArchiveWriter
from actors.stream_reader import StreamMessage
from messages.examples import ExampleBatch
from messages.examples_header import ExamplesHeader
from tests.archived_streams import streams_of

FEED, EXAMPLES = streams_of()
SOME = EXAMPLES[:16]
STREAM = stream_label("test", datetime(2026, 11, 24, 14, tzinfo=UTC))
STEPS = ("before staging", "torn while staging", "staged", "published")


class CrashError(Exception):
    """The process dies here."""


class CrashingFiles(ArchiveFiles):
    """Dies at a step of a file, once for every entry of `plan`; None lives on."""

    def __init__(self, root: Path, plan: list[str | None]) -> None:
        super().__init__(root)
        self._plan = plan
        self._step: str | None = None

    def stage(self, path: str, table: pa.Table) -> str:
        self._step = self._plan.pop(0) if self._plan else None
        if self._step == "before staging":
            raise CrashError
        partial = super().stage(path, table)
        if self._step == "torn while staging":
            whole = Path(self.path, partial)
            whole.write_bytes(whole.read_bytes()[:100])
            raise CrashError
        if self._step == "staged":
            raise CrashError
        return partial

    def publish(self, partial: str, path: str) -> None:
        super().publish(partial, path)
        if self._step == "published":
            raise CrashError


def archive(files: ArchiveFiles, kind: Any, messages: list[StreamMessage], step: int, **bounds: Any) -> int:
    """Let writers archive a stream, each begun after the one before died; returns how many it took."""
    settings = ArchiveSettings(**bounds)
    num_writers = 0
    while True:
        num_writers += 1
        try:
            writer = ArchiveWriter(files, kind, STREAM, settings)
            rest = [message for message in messages if message.sequence >= writer.next_sequence]
            for start in range(0, len(rest), step):
                writer.add(rest[start : start + step])
            writer.flush()
        except CrashError:
            continue
        return num_writers


def raw(messages: list[StreamMessage]) -> list[tuple[int, bytes, ExamplesHeader]]:
    return [
        (message.sequence, message.data, ExamplesHeader.from_headers(message.headers)) for message in messages
    ]


def read_raw(files: ArchiveFiles) -> list[tuple[int, bytes, ExamplesHeader]]:
    return [(message.sequence, message.batch.encode(), message.header) for message in read_examples(files)]


def test_examples_come_back_to_the_last_byte(tmp_path: Path) -> None:
    files = ArchiveFiles(tmp_path)
    archive(files, "examples", EXAMPLES, step=7)
    assert read_raw(files) == raw(EXAMPLES)


def test_feed_comes_back_to_the_last_byte_broken_messages_too(tmp_path: Path) -> None:
    files = ArchiveFiles(tmp_path)
    broken = StreamMessage("test.feed.1", len(FEED) + 1, FEED[-1].append_time, b"\xc1 no message", None)
    archive(files, "feed", [*FEED, broken], step=5)
    found = [(m.sequence, m.partition, m.append_time, m.data) for m in read_feed(files)]
    assert found == [(m.sequence, int(m.subject[-1]), m.append_time, m.data) for m in [*FEED, broken]]


@given(
    plan=st.lists(st.sampled_from([None, *STEPS]), max_size=8),
    step=st.integers(1, 50),
    most_bytes=st.integers(1, 20_000),
)
def test_a_crash_at_any_step_loses_no_message_and_doubles_none(
    tmp_path_factory: pytest.TempPathFactory, plan: list[str | None], step: int, most_bytes: int
) -> None:
    root = tmp_path_factory.mktemp("archive")
    crashes = sum(entry is not None for entry in plan)
    files = CrashingFiles(root, list(plan))
    num_writers = archive(files, "examples", SOME, step, max_file_bytes=most_bytes)
    assert num_writers <= crashes + 1
    assert read_raw(files) == raw(SOME)
    whole = ArchiveFiles(root)
    tables = pa.concat_tables(
        [whole.read(file) for file in whole.list("examples")], promote_options="permissive"
    )
    rows = sum(max(1, len(ExampleBatch.decode(message.data))) for message in SOME)
    assert tables.num_rows == rows, "also for who reads the files without our reader"


@pytest.mark.parametrize("step", STEPS)
def test_what_a_dead_writer_left_is_removed_by_the_next(tmp_path: Path, step: str) -> None:
    files = CrashingFiles(tmp_path, [step])
    assert archive(files, "examples", EXAMPLES, step=10, max_file_bytes=10_000) == 2
    assert not list(tmp_path.rglob("_partial*"))


def test_no_file_holds_messages_of_two_hours(tmp_path: Path) -> None:
    files = ArchiveFiles(tmp_path)
    archive(files, "feed", FEED, step=1000)
    hours = {message.sequence: datetime.fromtimestamp(message.append_time, UTC).hour for message in FEED}
    listed = files.list("feed")
    assert len(listed) == len(set(hours.values())) > 3
    for file in listed:
        assert {hours[sequence] for sequence in range(file.first, file.last + 1)} == {
            int(file.path.split("hour=")[1][11:13])
        }


def test_two_writers_at_once_leave_files_that_are_still_read_once(tmp_path: Path) -> None:
    files = ArchiveFiles(tmp_path)
    zombie = ArchiveWriter(files, "examples", STREAM, ArchiveSettings())
    zombie.add(EXAMPLES[:9])
    archive(files, "examples", EXAMPLES[:14], step=100)
    zombie.flush()
    archive(files, "examples", EXAMPLES, step=100)
    assert read_raw(files) == raw(EXAMPLES)
    assert examples_end(files).examples == expected_rows()


def test_the_end_of_the_archive_is_the_position_that_a_learner_of_all_of_it_has(tmp_path: Path) -> None:
    files = ArchiveFiles(tmp_path)
    archive(files, "examples", EXAMPLES, step=100, max_file_bytes=5_000)
    end = examples_end(files)
    assert end.stream == STREAM
    last = {int(message.subject[-1]): message for message in EXAMPLES}
    for partition, message in last.items():
        header = ExamplesHeader.from_headers(message.headers)
        position = end.positions[partition]
        assert (position.examples, position.feed, position.watermark) == (
            message.sequence,
            header.feed_position,
            header.watermark,
        )
    assert end.examples == expected_rows()


def expected_rows() -> dict[int, int]:
    rows: dict[int, int] = {}
    for message in EXAMPLES:
        partition = int(message.subject[-1])
        rows[partition] = rows.get(partition, 0) + len(ExampleBatch.decode(message.data))
    return rows


def test_a_stream_made_anew_is_archived_beside_the_old_one_and_read_after_it(tmp_path: Path) -> None:
    files = ArchiveFiles(tmp_path)
    for day in (24, 25):
        created = datetime(2026, 11, day, tzinfo=UTC)
        writer = ArchiveWriter.of_stream(files, "feed", "test", created, ArchiveSettings())
        assert writer.next_sequence == 1
        writer.add(FEED[:5])
        writer.flush()
    assert [message.sequence for message in read_feed(files)] == [*range(1, 6), *range(1, 6)]


def test_a_trimmed_stretch_is_counted_and_archiving_goes_on(tmp_path: Path) -> None:
    writer = ArchiveWriter(ArchiveFiles(tmp_path), "feed", STREAM, ArchiveSettings())
    writer.add(FEED[3:8])
    writer.flush()
    assert (writer.num_lost, writer.archived) == (3, 8)


def test_what_waits_is_written_when_it_is_old(tmp_path: Path) -> None:
    now = [0.0]
    settings = ArchiveSettings(max_wait_seconds=60)
    writer = ArchiveWriter(ArchiveFiles(tmp_path), "feed", STREAM, settings, clock=lambda: now[0])
    writer.add(FEED[:2])
    writer.flush_if_old()
    assert (writer.num_waiting, writer.archived) == (2, 0)
    now[0] = 60.0
    writer.flush_if_old()
    assert (writer.num_waiting, writer.archived) == (0, 2)


def test_any_rows_of_the_table_are_a_batch(tmp_path: Path) -> None:
    table = examples_table(EXAMPLES)
    order = list(range(table.num_rows))
    random.Random(0).shuffle(order)
    batch = batch_of(table.take(order))
    whole = ExampleBatch.concatenate([ExampleBatch.decode(message.data) for message in EXAMPLES])
    assert len(batch) == len(whole)
    assert batch.joined is not None
    assert whole.joined is not None
    assert sorted(batch.joined.request_keys) == sorted(whole.joined.request_keys)
    assert batch.joined.labels.sum() == whole.joined.labels.sum()
    assert (batch.user_keys[batch.joined.rows] == batch.joined.features.ids["user"]).all()


def test_examples_with_and_without_counters_and_chances_stand_in_one_file(tmp_path: Path) -> None:
    mixed = [message for message in EXAMPLES if ExampleBatch.decode(message.data).joined is not None][:4]
    for place in (1, 3):
        batch = ExampleBatch.decode(mixed[place].data)
        assert batch.joined is not None
        counters = batch.joined.features.dense[:, :3] * 2
        features = batch.joined.features.with_counters(counters)
        served = dataclasses.replace(batch, joined=dataclasses.replace(batch.joined, features=features))
        mixed[place] = dataclasses.replace(mixed[place], data=served.encode())
    batch = ExampleBatch.decode(mixed[2].data)
    assert batch.joined is not None
    chances = np.full(len(batch.joined), 0.25, np.float32)
    chances[0] = np.nan
    asked = dataclasses.replace(batch, joined=dataclasses.replace(batch.joined, engage_chances=chances))
    mixed[2] = dataclasses.replace(mixed[2], data=asked.encode())
    files = ArchiveFiles(tmp_path)
    archive(files, "examples", mixed, step=10)
    assert read_raw(files) == raw(mixed)


def test_a_place_without_an_archive_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="holds no archived examples"):
        files_to_read(ArchiveFiles(tmp_path), "examples")
    with pytest.raises(ArchiveError, match="nowhere"):
        ArchiveFiles("nowhere://bucket/archive")


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    files = ArchiveFiles(tmp_path)
    archive(files, "feed", FEED, step=1000)
    file: ArchivedFile = files.list("feed")[0]
    Path(files.absolute(file)).write_bytes(b"PAR1 is not enough PAR1")
    with pytest.raises(ArchiveError, match="cannot be read"):
        list(read_feed(files))


def test_a_uri_is_as_good_as_a_path(tmp_path: Path) -> None:
    archive(ArchiveFiles(tmp_path.as_uri()), "examples", EXAMPLES, step=9)
    assert read_raw(ArchiveFiles(tmp_path)) == raw(EXAMPLES)
