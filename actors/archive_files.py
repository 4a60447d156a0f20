"""Where the archive lies: Parquet files by stream and hour, on any file system that pyarrow knows.

    examples/stream=live-20261124T143200123456/hour=2026-11-24T14/000000000001-000000002048.parquet

A file holds the messages of one stream from the first to the last sequence in its name. It is written beside
its place and then renamed, so it is there whole or not at all, and the names alone say how far a stream is
archived: what was archived and that it was are one write.
"""

from __future__ import annotations

import os
import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:  # pyarrow takes long to load, and only who archives needs it
    import pyarrow as pa

StreamKind: TypeAlias = Literal["feed", "examples"]

_NAME = re.compile(r"(\d{12,})-(\d{12,})\.parquet")
_PARTIAL_PREFIX = "_partial-"
"""Readers of Parquet folders pass over names that begin with an underscore."""


class ArchiveSettings(BaseModel):
    """uri: a folder, or a URI of any file system that pyarrow knows; None archives nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    uri: str | None = None
    max_wait_seconds: float = Field(default=600.0, gt=0)
    """A file is closed when its hour ends, and not later than this after its first message was read."""
    max_file_bytes: int = Field(default=16 * 1024**2, ge=1)
    """Of messages as they stand in the stream: what waits is in memory."""

    def resolved(self) -> ArchiveSettings:
        """Return the same with a whole path, which means the same in every process."""
        if self.uri is None or "://" in self.uri:
            return self
        return self.model_copy(update={"uri": str(Path(self.uri).resolve())})


class ArchiveError(ValueError):
    """There is no archive at this place, or it does not hold what it should; the text names where."""


@dataclass(frozen=True, slots=True, order=True)
class ArchivedFile:
    """One file. stream: its label in the archive. first, last: sequences. path: below the root."""

    stream: str
    first: int
    last: int
    path: str


def stream_label(namespace: str, created: datetime) -> str:
    """Return the name of a stream in the archive: one that was made anew, whose sequences begin again, has
    another. Labels of one namespace sort by time."""
    return f"{namespace}-{created.astimezone(UTC):%Y%m%dT%H%M%S%f}"


def hour_label(time: float) -> str:
    """time: epoch seconds."""
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%dT%H}"


class ArchiveFiles:
    """The files below one root. root: a path, or a URI (s3://bucket/folder, file:///..., ...)."""

    def __init__(self, root: str | Path) -> None:
        """Raises ArchiveError for a URI whose file system pyarrow does not know."""
        import pyarrow as pa
        from pyarrow.fs import FileSystem, LocalFileSystem

        self.root = str(root)
        try:
            if "://" in self.root:
                self.filesystem, self.path = FileSystem.from_uri(self.root)
            else:
                self.filesystem, self.path = LocalFileSystem(), str(Path(root).resolve())
        except (pa.ArrowException, OSError) as error:
            raise ArchiveError(f"archive {self.root!r}: {error}") from error
        self._is_local = self.filesystem.type_name == "local"

    def place_of(self, kind: StreamKind, stream: str, hour: str, first: int, last: int) -> str:
        """Return the path of a file below the root."""
        return f"{kind}/stream={stream}/hour={hour}/{first:012d}-{last:012d}.parquet"

    def stage(self, path: str, table: pa.Table) -> str:
        """Write a table beside its place; returns where. It has reached the disk, but nobody reads it yet."""
        from pyarrow import parquet

        folder, _, name = path.rpartition("/")
        partial = f"{folder}/{_PARTIAL_PREFIX}{uuid.uuid4().hex}-{name}"
        self.filesystem.create_dir(self._absolute(folder), recursive=True)
        with self.filesystem.open_output_stream(self._absolute(partial)) as sink:
            parquet.write_table(table, sink, compression="zstd")
        self._sync(self._absolute(partial))
        return partial

    def publish(self, partial: str, path: str) -> None:
        """Give a staged file its name. From here on it is archived."""
        self.filesystem.move(self._absolute(partial), self._absolute(path))
        self._sync(self._absolute(path.rpartition("/")[0]))

    def list(self, kind: StreamKind, stream: str | None = None) -> list[ArchivedFile]:
        """Return the files of one stream, or of all of this kind, in the order of streams and sequences."""
        top = kind if stream is None else f"{kind}/stream={stream}"
        found = []
        for path in self._names(top):
            matched = _NAME.fullmatch(path.rpartition("/")[2])
            if matched:
                label = path.split("/")[1].removeprefix("stream=")
                found.append(ArchivedFile(label, int(matched[1]), int(matched[2]), path))
        return sorted(found)

    def last_sequence(self, kind: StreamKind, stream: str) -> int:
        """Return the newest sequence that is archived, 0 where none is."""
        return max((file.last for file in self.list(kind, stream)), default=0)

    def remove_partial(self, kind: StreamKind, stream: str) -> int:
        """Remove what a writer that died left behind; returns how many files that were."""
        partial = [
            path
            for path in self._names(f"{kind}/stream={stream}")
            if path.rpartition("/")[2].startswith(_PARTIAL_PREFIX)
        ]
        for path in partial:
            self.filesystem.delete_file(self._absolute(path))
        return len(partial)

    def read(self, file: ArchivedFile, columns: list[str] | None = None) -> pa.Table:
        """Return a file's table; columns: only these. Raises ArchiveError where it cannot be read."""
        import pyarrow as pa
        from pyarrow import parquet

        try:
            with self.filesystem.open_input_file(self._absolute(file.path)) as source:
                return parquet.ParquetFile(source).read(columns=columns)
        except (pa.ArrowException, OSError) as error:
            raise ArchiveError(f"{self.root}/{file.path} cannot be read: {error}") from error

    def absolute(self, file: ArchivedFile) -> str:
        """Return a file's path on `filesystem`."""
        return self._absolute(file.path)

    def _absolute(self, path: str) -> str:
        return f"{self.path}/{path}"

    def _names(self, folder: str) -> list[str]:
        """Return all files below a folder, as paths below the root."""
        from pyarrow.fs import FileSelector, FileType

        selector = FileSelector(self._absolute(folder), recursive=True, allow_not_found=True)
        start = len(self.path) + 1
        infos: list[Any] = self.filesystem.get_file_info(selector)
        return [info.path[start:] for info in infos if info.type == FileType.File]

    def _sync(self, path: str) -> None:
        if not self._is_local:
            return  # an object store has what it has acknowledged
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
