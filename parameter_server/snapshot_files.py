"""Where snapshots are kept: a local folder, or a URI of any file system that pyarrow knows (s3://, ...)."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeAlias


class LocalFiles:
    """Files under a folder; what was written has reached the disk."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def location(self, path: str) -> str:
        return str(self._root / path)

    @contextmanager
    def writing(self, path: str) -> Iterator[IO[bytes]]:
        """Open a new file, making the folders above it."""
        target = self._root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        for folder in (target.parent, target.parent.parent):
            _sync_directory(folder)

    def read(self, path: str) -> bytes:
        """Raises OSError."""
        return (self._root / path).read_bytes()

    def names(self, path: str) -> list[str]:
        """Return the names in a folder, sorted; none where there is no folder."""
        folder = self._root / path
        return sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []

    def remove(self, path: str) -> None:
        """Remove a file, or a folder and all in it."""
        target = self._root / path
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink()


class ArrowFiles:
    """Files under a path of a `pyarrow.fs.FileSystem`."""

    def __init__(self, filesystem: Any, root: str) -> None:
        self._filesystem = filesystem
        self._root = root.rstrip("/")

    def location(self, path: str) -> str:
        return f"{self._filesystem.type_name}:{self._root}/{path}"

    @contextmanager
    def writing(self, path: str) -> Iterator[IO[bytes]]:
        """Open a new file. On an object store it appears when it is closed."""
        target = f"{self._root}/{path}"
        self._filesystem.create_dir(target.rpartition("/")[0], recursive=True)
        with self._filesystem.open_output_stream(target) as file:
            yield file

    def read(self, path: str) -> bytes:
        """Raises OSError."""
        with self._filesystem.open_input_stream(f"{self._root}/{path}") as file:
            data: bytes = file.read()
        return data

    def names(self, path: str) -> list[str]:
        """Return the names in a folder, sorted; none where there is no folder."""
        from pyarrow.fs import FileSelector

        selector = FileSelector(f"{self._root}/{path}".rstrip("/"), allow_not_found=True)
        return sorted(info.base_name for info in self._filesystem.get_file_info(selector))

    def remove(self, path: str) -> None:
        """Remove a file, or a folder and all in it."""
        from pyarrow.fs import FileType

        target = f"{self._root}/{path}"
        if self._filesystem.get_file_info(target).type == FileType.Directory:
            self._filesystem.delete_dir(target)
        else:
            self._filesystem.delete_file(target)


SnapshotFiles: TypeAlias = LocalFiles | ArrowFiles
SnapshotRoot: TypeAlias = Path | str | LocalFiles | ArrowFiles


class SnapshotRootError(ValueError):
    """A URI whose file system pyarrow does not know, or cannot open."""


def open_files(root: SnapshotRoot) -> SnapshotFiles:
    """Return the files under a path or URI. pyarrow is loaded for a URI only: a shard is small without it.

    Raises SnapshotRootError.
    """
    if isinstance(root, (LocalFiles, ArrowFiles)):
        return root
    if isinstance(root, str) and "://" in root:
        import pyarrow as pa
        from pyarrow.fs import FileSystem

        try:
            filesystem, path = FileSystem.from_uri(root)
        except (pa.ArrowException, OSError) as error:
            raise SnapshotRootError(f"snapshots {root!r}: {error}") from error
        return ArrowFiles(filesystem, path)
    return LocalFiles(Path(root))


class HashingWriter:
    """Passes bytes on and takes their sha256 on the way. Not seekable, so that nothing is written twice."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()

    def write(self, data: Any) -> int:
        self._hash.update(data)
        self._file.write(data)
        return memoryview(data).nbytes

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        """Leave the file open: it is closed where it was opened."""

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
