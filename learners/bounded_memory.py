"""Dicts that keep the newest keys only."""

from __future__ import annotations

from typing import Any


def remember(memory: dict[int, Any], key: int, value: Any, limit: int) -> None:
    """Make a key the newest; over `limit` the oldest is forgotten."""
    memory.pop(key, None)
    memory[key] = value
    if len(memory) > limit:
        del memory[next(iter(memory))]
