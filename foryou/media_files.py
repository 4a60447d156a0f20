"""Pictures and sounds named in a table of contents: found beside it, and made into vectors once each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from messages.arrays import FloatArray

MEDIA_COLUMNS: dict[str, str] = {"image_path": "visual_features", "audio_path": "audio_features"}
"""Column of the table that names a file -> field of the metadata that its vector becomes."""

_DECIMALS = 5


class MediaError(ValueError):
    """A file cannot be made into a vector; the text names it and says why."""


def missing_extra(what: str, error: ImportError) -> MediaError:
    """Say how to get what is not installed."""
    return MediaError(f"vectors of {what} need more packages: pip install 'foryou[media]' ({error})")


class MediaVectors:
    """Vectors of the files that rows name. Paths are relative to `folder`.

    encoders: by column of MEDIA_COLUMNS, what makes a vector of a file.
    """

    def __init__(self, folder: Path, encoders: dict[str, Callable[[Path], FloatArray]]) -> None:
        self._folder = folder
        self._encoders = encoders
        self._known: dict[tuple[str, Path], list[float]] = {}

    def of_row(self, row: dict[str, Any]) -> dict[str, list[float]]:
        """Return field -> vector for the files that a row names. Raises MediaError."""
        found = {}
        for column, field in MEDIA_COLUMNS.items():
            name = row.get(column)
            if name:
                found[field] = self._vector(column, (self._folder / str(name)).resolve())
        return found

    def _vector(self, column: str, path: Path) -> list[float]:
        if (column, path) not in self._known:
            if not path.exists():
                raise MediaError(f"{path}: there is no such file")
            vector = self._encoders[column](path)
            self._known[column, path] = [round(float(value), _DECIMALS) for value in vector]
        return self._known[column, path]


def media_vectors(folder: Path, columns: list[str], weights: Path | None) -> MediaVectors:
    """Load what the columns of a table need, and no more. weights: of the picture network. Raises
    MediaError."""
    from foryou.audio_vectors import audio_vector
    from foryou.visual_vectors import load_network, visual_vector

    encoders: dict[str, Callable[[Path], FloatArray]] = {"audio_path": audio_vector}
    if "image_path" in columns:
        network = load_network(weights)
        encoders["image_path"] = lambda path: visual_vector(path, network)
    return MediaVectors(folder, encoders)
