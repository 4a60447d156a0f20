"""What stands in an archived file: EXAMPLES a row for every event, FEED a row for every message.

Columns of EXAMPLES bear the names of the fields of `ExampleBatch` and, in the struct `joined`, of
`JoinedExamples`; beside them stand the message's place and headers, equal in all of its rows. A message
without rows, which only moves the watermark, is one row whose `event_type` is null. FEED is kept as it came,
broken messages included, so that it can be sent again to the last byte.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from actors.archive_columns import from_arrow, spread, to_arrow
from actors.names import partition_of_subject
from actors.stream_reader import StreamMessage
from learners.span_cutter import ExamplesMessage
from messages.arrays import IntArray
from messages.content import ContentColumns
from messages.events import EVENT_TYPES
from messages.examples import ExampleBatch, JoinedExamples
from messages.examples_header import ExamplesHeader
from messages.features import FeatureBatch
from messages.uploads import Uploads

_PLACE = ("sequence", "partition", "append_time")
_HEADER = tuple(field.name for field in dataclasses.fields(ExamplesHeader))
_EVENT_COLUMNS = tuple(
    field.name
    for field in dataclasses.fields(ExampleBatch)
    if field.name not in ("event_types", "joined", "uploads")
)


@dataclasses.dataclass(frozen=True, slots=True)
class ArchivedFeedMessage:
    """One FEED message. append_time: by the broker, epoch seconds. data: as it was published."""

    sequence: int
    partition: int
    append_time: float
    data: bytes


def feed_table(messages: Sequence[StreamMessage]) -> pa.Table:
    """Return one row for every message."""
    return pa.table(_places_of(messages) | {"data": pa.array([message.data for message in messages])})


def feed_messages_of(table: pa.Table) -> Iterator[ArchivedFeedMessage]:
    """Yield what `feed_table` was made of."""
    columns = [table[name].to_pylist() for name in (*_PLACE, "data")]
    for row in zip(*columns, strict=True):
        yield ArchivedFeedMessage(*row)


def examples_table(messages: Sequence[StreamMessage]) -> pa.Table:
    """Return one row for every event. Raises MalformedMessageError for what no joiner appended."""
    decoded = [(message, ExampleBatch.decode(message.data)) for message in messages]
    runs: list[list[tuple[StreamMessage, ExampleBatch]]] = []
    layout = None
    for pair in decoded:
        own = _layout_of(pair[1])
        if not runs or (own is not None and layout is not None and own != layout):
            runs.append([])
        layout = own or layout
        runs[-1].append(pair)
    return pa.concat_tables([_table_of_run(run) for run in runs], promote_options="permissive")


def batch_of(table: pa.Table) -> ExampleBatch:
    """Return the events of any rows of archived EXAMPLES, in their order.

    Raises ValueError where rows with and without a column that belongs to all, such as counters, are mixed.
    """
    table = table.filter(pc.is_valid(table["event_type"]))
    codes = [EVENT_TYPES.index(name) for name in table["event_type"].to_pylist()]
    known = {name: from_arrow(table[name]) for name in _EVENT_COLUMNS if name in table.column_names}
    return ExampleBatch(
        event_types=np.array(codes, dtype=np.uint8),
        joined=_joined_of(table),
        uploads=_uploads_of(table),
        **known,
    )


def examples_messages_of(table: pa.Table) -> Iterator[ExamplesMessage]:
    """Yield the messages as a learner reads them from the stream."""
    sequences = table["sequence"].to_numpy()
    starts = np.flatnonzero(np.diff(sequences, prepend=-1))
    for start, end in itertools.pairwise([*starts.tolist(), len(sequences)]):
        rows = table.slice(start, end - start)
        first = {name: rows[name][0].as_py() for name in (*_PLACE, *_HEADER)}
        header = ExamplesHeader(**{name: first[name] for name in _HEADER})
        yield ExamplesMessage(first["partition"], first["sequence"], header, batch_of(rows))


def _table_of_run(run: list[tuple[StreamMessage, ExampleBatch]]) -> pa.Table:
    """Return the table of messages whose batches can be stacked."""
    batch = ExampleBatch.concatenate([part for _, part in run])
    lengths = np.array([len(part) for _, part in run], dtype=np.int64)
    repeats = np.maximum(lengths, 1)
    places = np.full(int(repeats.sum()), -1, dtype=np.int64)
    places[np.repeat(lengths > 0, repeats)] = np.arange(len(batch))
    message_of_row = pa.array(np.repeat(np.arange(len(run)), repeats))
    headers = [ExamplesHeader.from_headers(message.headers) for message, _ in run]
    of_message = _places_of([message for message, _ in run]) | {
        name: pa.array([getattr(header, name) for header in headers]) for name in _HEADER
    }
    columns = {name: column.take(message_of_row) for name, column in of_message.items()}
    names = pa.array([EVENT_TYPES[code] for code in batch.event_types], type=pa.string())
    columns["event_type"] = spread(names, places)
    for name in _EVENT_COLUMNS:
        columns[name] = spread(to_arrow(getattr(batch, name)), places)
    if batch.joined is not None:
        fields = {
            field.name: getattr(batch.joined, field.name)
            for field in dataclasses.fields(JoinedExamples)
            if field.name != "rows"  # where a row stands says it
        }
        columns["joined"] = spread(to_arrow(fields), _inverse(batch.joined.rows, len(batch))[places])
    if batch.uploads is not None:
        rows = np.flatnonzero(batch.event_types == EVENT_TYPES.index("content_upload"))
        columns["upload"] = spread(to_arrow(batch.uploads), _inverse(rows, len(batch))[places])
    return pa.table(columns)


def _inverse(rows: IntArray, num_rows: int) -> IntArray:
    """Return, for every row and for the place -1, which entry of `rows` it is; -1 where none."""
    inverse = np.full(num_rows + 1, -1, dtype=np.int64)
    inverse[rows] = np.arange(len(rows))
    return inverse


def _joined_of(table: pa.Table) -> JoinedExamples | None:
    fields, rows = _struct_of(table, "joined")
    if not len(rows):
        return None
    features = fields.pop("features")
    words = fields.pop("comment_words", None)
    return JoinedExamples(
        rows=rows,
        features=FeatureBatch(**({"counters": None} | features)),
        comment_words=words if words is not None and len(words.values) else None,
        **fields,
    )


def _uploads_of(table: pa.Table) -> Uploads | None:
    fields, rows = _struct_of(table, "upload")
    return Uploads(**fields | {"contents": ContentColumns(**fields["contents"])}) if len(rows) else None


def _struct_of(table: pa.Table, name: str) -> tuple[dict[str, Any], IntArray]:
    """Return the fields of a struct in the rows that have it, and which rows these are."""
    if name not in table.column_names:
        return {}, np.empty(0, dtype=np.int64)
    there = pc.is_valid(table[name])
    rows = np.flatnonzero(there.to_numpy())
    return (from_arrow(table[name].filter(there)) if len(rows) else {}), rows


def _places_of(messages: Sequence[StreamMessage]) -> dict[str, pa.Array]:
    return {
        "sequence": pa.array([message.sequence for message in messages], type=pa.int64()),
        "partition": pa.array(
            [partition_of_subject(message.subject) for message in messages], type=pa.int32()
        ),
        "append_time": pa.array([message.append_time for message in messages], type=pa.float64()),
    }


def _layout_of(batch: ExampleBatch) -> tuple[Any, ...] | None:
    """Return what must be equal in batches that are stacked; None goes with all."""
    if batch.joined is None:
        return None
    features = batch.joined.features
    layout = tuple(features.ids), tuple(features.bags), features.dense.shape[1]
    return (*layout, features.counters is None, batch.joined.engage_chances is None)
