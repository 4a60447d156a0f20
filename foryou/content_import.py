"""Bulk import: a table of contents, read in columns, checked whole, then stored and put onto FEED."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet
from rich.progress import Progress

from actors.catalogue import Catalogue
from actors.connections import Connections, EndpointSettings
from actors.feed_publisher import FeedPublisher
from foryou.console import progress_console
from foryou.media_files import MEDIA_COLUMNS, MediaError, MediaVectors, media_vectors
from foryou.running_endpoints import NotRunningError, running_endpoints
from foryou.settings import SystemSettings
from messages.content import ContentFacts
from messages.events import parse_events
from messages.identifiers import IdClashError

__all__ = ["ContentFileError", "NotRunningError", "import_contents"]

COLUMNS = (
    "content_id", "creator_id", "category", "tags", "description", "duration", "language", "audio_id",
    "upload_timestamp", "visual_features", "audio_features", *MEDIA_COLUMNS,
)  # fmt: skip
_REQUIRED = ("content_id", "creator_id")
_METADATA = (
    "category", "description", "duration", "language", "audio_id", "visual_features", "audio_features",
)  # fmt: skip
_CHUNK = 2_000


class ContentFileError(ValueError):
    """The file cannot be imported; the text names row, field and reason. Nothing of it was imported."""


def import_contents(
    settings: SystemSettings, file: Path, picture_weights: Path | None = None
) -> dict[str, Any]:
    """Import a Parquet, CSV or NDJSON file, and pictures and sounds that it names, relative to its folder.

    picture_weights: see `load_network`. Raises ContentFileError, NotRunningError.
    """
    started = time.monotonic()
    uploads = read_uploads(file, picture_weights)
    endpoints = running_endpoints(settings)
    asyncio.run(_send(endpoints, uploads))
    seconds = time.monotonic() - started
    return {"contents": len(uploads), "seconds": round(seconds, 3), "contents_per_s": len(uploads) / seconds}


def read_uploads(file: Path, picture_weights: Path | None = None) -> list[dict[str, Any]]:
    """Return the wire map of each row's upload. Raises ContentFileError for the first row that is wrong."""
    table = _read_table(file)
    media = None
    if set(MEDIA_COLUMNS) & set(table.column_names):
        try:
            media = media_vectors(file.parent, table.column_names, picture_weights)
        except MediaError as error:
            raise ContentFileError(f"{file}: {error}") from error
    return list(_uploads(table, media))


def _read_table(file: Path) -> pa.Table:
    readers = {
        ".parquet": pyarrow.parquet.read_table,
        ".csv": pyarrow.csv.read_csv,
        ".ndjson": pyarrow.json.read_json,
        ".jsonl": pyarrow.json.read_json,
    }
    reader = readers.get(file.suffix)
    if reader is None:
        raise ContentFileError(f"{file}: expected one of {', '.join(readers)}")
    try:
        table = reader(file)
    except (OSError, pa.ArrowException) as error:
        raise ContentFileError(f"{file}: {error}") from error
    missing = [name for name in _REQUIRED if name not in table.column_names]
    unknown = [name for name in table.column_names if name not in COLUMNS]
    if missing or unknown:
        raise ContentFileError(
            f"{file}: missing columns {missing}, unknown columns {unknown}; known are {', '.join(COLUMNS)}"
        )
    return table


def _uploads(table: pa.Table, media: MediaVectors | None) -> Iterator[dict[str, Any]]:
    now = time.time()
    row_number = 0
    for chunk in table.to_batches(max_chunksize=_CHUNK):
        rows = chunk.to_pylist()
        raw: list[object] = []
        for index, row in enumerate(rows):
            try:
                vectors = media.of_row(row) if media else {}
            except MediaError as error:
                raise ContentFileError(f"row {row_number + index + 1}: {error}") from error
            raw.append(_upload(row | vectors, now))
        accepted, refused = parse_events(raw)
        for index, error in refused.items():
            raise ContentFileError(f"row {row_number + index + 1}: {error}")
        yield from accepted
        row_number += len(raw)


def _upload(row: dict[str, Any], now: float) -> dict[str, Any]:
    metadata = {name: row[name] for name in _METADATA if row.get(name) is not None}
    tags = row.get("tags")
    if isinstance(tags, str):
        tags = [tag.strip() for tag in tags.split(",") if tag.strip()]
    if tags:
        metadata["tags"] = tags
    return {
        "event_type": "content_upload",
        "content_id": str(row["content_id"]),
        "creator_id": str(row["creator_id"]),
        "timestamp": row.get("upload_timestamp") or now,
        "metadata": metadata,
    }


async def _send(endpoints: EndpointSettings, uploads: list[dict[str, Any]]) -> None:
    async with await Connections.open(endpoints, "content-import") as connections:
        catalogue = Catalogue(connections.redis, connections.namespace)
        publisher = FeedPublisher(connections.js, connections.namespace, connections.num_partitions)
        with Progress(console=progress_console, transient=True) as progress:
            task = progress.add_task("contents", total=len(uploads))
            for start in range(0, len(uploads), _CHUNK):
                chunk = uploads[start : start + _CHUNK]
                try:
                    await catalogue.put_many([ContentFacts.from_upload(upload) for upload in chunk])
                except IdClashError as error:
                    raise ContentFileError(f"rows {start + 1} to {start + len(chunk)}: {error}") from error
                await publisher.publish_events(chunk)
                progress.advance(task, len(chunk))
