"""What was made of the requests that are under way, so that a second stage need not make it again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

_Source = TypeVar("_Source")
_Made = TypeVar("_Made")

_KEPT = 64
"""Requests that are between two of their stages at the same time are fewer."""


class LastMade(Generic[_Source, _Made]):
    """Makes something of an object and keeps it for the next who asks by the same object (not an equal one),
    until it is taken or others have come after it. Nothing may change the object meanwhile."""

    def __init__(self, make: Callable[[_Source], _Made]) -> None:
        self._make = make
        # By the identity of an object that is kept beside: no other one can have it so long.
        self._kept: dict[int, tuple[_Source, _Made]] = {}

    def of(self, source: _Source) -> _Made:
        kept = self._kept.get(id(source))
        if kept is not None:
            return kept[1]
        if len(self._kept) == _KEPT:
            del self._kept[next(iter(self._kept))]
        made = self._make(source)
        self._kept[id(source)] = source, made
        return made

    def take(self, source: _Source) -> _Made:
        """Return it for the last time."""
        made = self.of(source)
        del self._kept[id(source)]
        return made
