"""Archived EXAMPLES as mini-batches, read and laid out by Ray Data beside the training that takes them.

One task reads one file, so that decoding goes on while batches are learned; what travels is the same columnar
message that learners read from the stream.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
import ray

from actors.archive_files import ArchivedFile, ArchiveFiles
from actors.archive_reader import files_to_read
from actors.archive_tables import batch_of
from messages.examples import ExampleBatch


def archived_batches(
    files: ArchiveFiles, batch_rows: int, *, shuffle_seed: int | None = None
) -> Iterator[ExampleBatch]:
    """Yield all archived events once. Ray must be initialized. Raises ArchiveError where there are none.

    In the order of the stream; with a seed, files and the rows within each are shuffled instead. A batch has
    `batch_rows` rows, fewer at the end of a file.
    """
    chosen = files_to_read(files, "examples")
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    if shuffle_seed is not None:
        chosen = [chosen[place] for place in np.random.default_rng(shuffle_seed).permutation(len(chosen))]
    rows = [
        {"stream": file.stream, "first": file.first, "last": file.last, "path": file.path} for file in chosen
    ]
    read = functools.partial(read_chunks, root=files.root, batch_rows=batch_rows, shuffle_seed=shuffle_seed)
    encoded = ray.data.from_items(rows, override_num_blocks=len(rows)).flat_map(read)
    for row in encoded.iter_rows():
        yield ExampleBatch.decode(row["data"])


def read_chunks(
    row: dict[str, Any], *, root: str, batch_rows: int, shuffle_seed: int | None
) -> list[dict[str, bytes]]:
    """Return a file's events as encoded batches. row: the fields of an ArchivedFile."""
    file = ArchivedFile(row["stream"], int(row["first"]), int(row["last"]), row["path"])
    table = ArchiveFiles(root).read(file)
    places = np.flatnonzero(table["sequence"].to_numpy() >= file.first)
    if shuffle_seed is not None:
        places = np.random.default_rng([shuffle_seed, file.first]).permutation(places)
    chunks = [
        batch_of(table.take(places[start : start + batch_rows])).encode()
        for start in range(0, len(places), batch_rows)
    ]
    return [{"data": data} for data in chunks]
