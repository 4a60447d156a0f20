"""Accounts that are no people: one kind pushes a creator, the other reports whatever is good.

A bot scrolls like anybody, but what it does is decided by its order: a pusher completes, likes and shares
the contents of its creator and skips the rest; a reporter hides and reports the better half of what it is
shown and views the rest. Each visit it also acts on ten contents that nobody showed it, as scripts do, which
leaves events without an impression.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from messages.arrays import BoolArray, IntArray
from simulations.behaviour import Viewer, WatchedSlate
from simulations.world import World

_UNASKED = 10
_SPACING = 0.001


class Bot(Viewer):
    """Even ones push, odd ones report."""

    def __init__(self, world: World, person: int) -> None:
        super().__init__(world, person)
        self.pushes = person % 2 == 0
        creators = world.contents.creators
        self.target = int(creators[np.argmin(world.contents.qualities)])
        self._good = world.contents.qualities > np.median(world.contents.qualities)
        self._generator = np.random.default_rng([world.settings.seed, person])

    def watch(self, contents: IntArray, now: float, request_id: str | None = None) -> WatchedSlate:
        """Act on the slate, then on contents that were not asked for."""
        wanted = self._wanted(contents)
        viewed = wanted if self.pushes else ~wanted
        seconds = np.where(viewed, self.world.contents.durations[contents], 0.5).round(2)
        events: list[dict[str, Any]] = []
        for place, content in enumerate(contents.tolist()):
            kind = "complete_view" if viewed[place] else "skip"
            events.append(self._event(kind, content, request_id, watch_duration=float(seconds[place])))
            if wanted[place]:
                events += [self._event(kind, content, request_id) for kind in self._acts]
        targets = np.flatnonzero(self._wanted(np.arange(len(self._good))) & self.world.uploaded(self.moment))
        if len(targets):
            for content in self._generator.choice(targets, size=_UNASKED).tolist():
                events += [self._event(kind, content, None) for kind in self._acts]
        for place, event in enumerate(events):
            event["timestamp"] = now - _SPACING * (len(events) - 1 - place)
        return WatchedSlate(viewed, seconds, events, pleasure=1.0)

    @property
    def _acts(self) -> tuple[str, ...]:
        return ("like", "share") if self.pushes else ("hide", "report")

    def _wanted(self, contents: IntArray) -> BoolArray:
        if self.pushes:
            return np.asarray(self.world.contents.creators[contents] == self.target)
        return np.asarray(self._good[contents])

    def _event(self, kind: str, content: int, request_id: str | None, **more: float) -> dict[str, Any]:
        about = {
            "event_type": kind,
            "user_id": self.user_id,
            "content_id": self.world.contents.id_of(content),
        }
        return {**about, **more} if request_id is None else {**about, **more, "request_id": request_id}


def population(world: World) -> list[Viewer]:
    """Return everybody once, the bots last."""
    num_honest = len(world.people) - world.num_bots
    return [
        Viewer(world, person) if person < num_honest else Bot(world, person)
        for person in range(len(world.people))
    ]
