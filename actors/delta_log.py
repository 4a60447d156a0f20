"""The newest deltas of a model, and what a reader must be given to stand at the newest version."""

from __future__ import annotations

from collections import deque

from messages.updates import ModelDelta


class DeltaLog:
    """Deltas in order, each building on the one before, and one full delta from which a reader may begin.

    A full delta made for a newcomer bears the number of the newest delta: those who follow go on following.
    """

    def __init__(self, num_kept: int) -> None:
        self._deltas: deque[ModelDelta] = deque(maxlen=num_kept)
        self._full: ModelDelta | None = None
        self._last: ModelDelta | None = None

    @property
    def last(self) -> ModelDelta | None:
        """The newest delta, of either kind."""
        return self._last

    def append(self, delta: ModelDelta) -> None:
        """Add the next delta; a full one breaks the chain: everybody begins anew with it."""
        if delta.full:
            self._deltas.clear()
            self._full = delta
        else:
            self._deltas.append(delta)
        self._last = delta

    def put_full(self, full: ModelDelta) -> None:
        """Keep a full delta of the newest version for those who begin."""
        assert self._last is not None
        assert full.version.counter == self._last.version.counter
        self._full = full

    def after(self, counter: int) -> list[ModelDelta] | None:
        """Return what brings a reader at `counter` to the newest version; None where only a new full can."""
        if self._last is None:
            return None
        if counter == self._last.version.counter:
            return []
        following = self._following(counter)
        if following is not None or self._full is None:
            return following
        if self._full.version.counter == self._last.version.counter:
            return [self._full]
        rest = self._following(self._full.version.counter)
        return None if rest is None else [self._full, *rest]

    def _following(self, counter: int) -> list[ModelDelta] | None:
        deltas = list(self._deltas)
        for index, delta in enumerate(deltas):
            if delta.previous == counter:
                return deltas[index:]
        return None
