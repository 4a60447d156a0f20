"""Snapshots that stay however many newer ones are written: each is a version that somebody may go back to.

A pin is an empty file `pinned-NAME` beside the manifest, written before it, so a snapshot is never seen
without its pins. Without pins it goes as any other, when the next is written.
"""

from __future__ import annotations

from collections.abc import Iterable

from parameter_server.snapshot_files import SnapshotFiles

_PREFIX = "pinned-"


def pins_of(files: SnapshotFiles, directory: str) -> list[str]:
    """Return the names of the pins of a snapshot's folder, sorted."""
    return [name.removeprefix(_PREFIX) for name in files.names(directory) if name.startswith(_PREFIX)]


def pinned_in(files: SnapshotFiles, directories: Iterable[str]) -> dict[str, str]:
    """Return by pin the newest of these folders, listed oldest first, that has it."""
    return {name: directory for directory in directories for name in pins_of(files, directory)}


def pin(files: SnapshotFiles, directory: str, name: str) -> None:
    """Raises OSError."""
    with files.writing(f"{directory}/{_PREFIX}{name}"):
        pass


def unpin(files: SnapshotFiles, directory: str, name: str) -> None:
    """Let go; a pin that is gone already is no error. Raises OSError."""
    if name in pins_of(files, directory):
        files.remove(f"{directory}/{_PREFIX}{name}")
