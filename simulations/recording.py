"""A simulation's FEED in a file, and the file as a log to replay, of which joiners make the same EXAMPLES.

The file is a header and then frames, each 4 bytes of length (little-endian) and a msgpack map:

    {"format": "foryou-recording", "version": 1, "partitions": P}
    {"partition": p, "time": epoch seconds of the append, "message": the encoded FeedMessage}

What a joiner emits depends on its partition's messages and their times alone, so a replay gives every message
the time of its append as the log's clock. Impressions hold their features by value: nothing is computed anew.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from messages.codec import MalformedMessageError, pack, unpack
from messages.feed import FeedMessage
from simulations.kuairand import ReplayWindow
from simulations.replay_windows import windows_of

_FORMAT = "foryou-recording"
_VERSION = 1
_LENGTH = struct.Struct("<I")


class RecordingFormatError(ValueError):
    """The file is no recording, or is cut short."""


class FeedRecorder:
    """Writes what it hears; a context manager, and `InProcessStreams.listener` is its `heard`."""

    def __init__(self, path: Path, num_partitions: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = path.open("wb")
        self._write({"format": _FORMAT, "version": _VERSION, "partitions": num_partitions})

    def __enter__(self) -> FeedRecorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def heard(self, partition: int, message: FeedMessage, append_time: float) -> None:
        self._write({"partition": partition, "time": append_time, "message": message.encode()})

    def _write(self, frame: dict[str, Any]) -> None:
        data = pack(frame)
        self._file.write(_LENGTH.pack(len(data)) + data)


class RecordedLog:
    """A recording as a log. window_rows: events in a window, about."""

    def __init__(self, path: Path, *, window_rows: int = 256) -> None:
        """Raises RecordingFormatError."""
        self._path = path
        self._window_rows = window_rows
        if not path.is_file():
            raise RecordingFormatError(f"{path} is no file")
        try:
            header = next(_frames(path), None)
        except RecordingFormatError:
            header = None  # other files begin with anything
        if header is None or header.get("format") != _FORMAT or header.get("version") != _VERSION:
            raise RecordingFormatError(f"{path} is not a recording of version {_VERSION}")
        self.num_partitions = int(header["partitions"])
        self._num_rows = sum(window.num_rows for window in self.windows())

    def __len__(self) -> int:
        """Events that people sent."""
        return self._num_rows

    def windows(self) -> Iterator[ReplayWindow]:
        """Yield the messages in their order."""
        return windows_of(self._messages(), num_partitions=self.num_partitions, window_rows=self._window_rows)

    def _messages(self) -> Iterator[tuple[int, FeedMessage]]:
        frames = _frames(self._path)
        next(frames)
        for frame in frames:
            message = FeedMessage(FeedMessage.decode(frame["message"]).records, float(frame["time"]))
            yield int(frame["partition"]), message


def _frames(path: Path) -> Iterator[dict[str, Any]]:
    """Raises RecordingFormatError."""
    with path.open("rb") as file:
        while length := file.read(_LENGTH.size):
            try:
                (size,) = _LENGTH.unpack(length)
                data = file.read(size)
                if len(data) < size:
                    raise RecordingFormatError(f"{path} is cut short")
                frame = unpack(data)
            except (struct.error, MalformedMessageError) as error:
                raise RecordingFormatError(f"{path}: {error}") from error
            if not isinstance(frame, dict):
                raise RecordingFormatError(f"{path} holds something else than frames")
            yield frame
