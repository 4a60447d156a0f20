"""Feeds to compare a learned feed with: at random, by popularity, and by the truth itself."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from messages.arrays import BoolArray, IntArray
from simulations.behaviour import Viewer
from simulations.world import World


class FeedPolicy(Protocol):
    """Chooses contents for one population and may learn from what that population does."""

    def feed(self, viewer: Viewer, limit: int) -> IntArray:
        """Return up to `limit` contents that this person was not served before, int64 [n], best first."""
        ...

    def learn(self, contents: IntArray, viewed: BoolArray) -> None:
        """Take in what one person did with a slate; viewed: bool [n]."""
        ...


class ServedContents:
    """Who was served what: bool [people, contents]."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._served = np.zeros((len(world.people), len(world.contents)), dtype=np.bool_)

    def fresh(self, viewer: Viewer) -> IntArray:
        """Return what is uploaded and was not served to this person."""
        return np.flatnonzero(~self._served[viewer.person] & self._world.uploaded(viewer.moment))

    def serve(self, person: int, contents: IntArray) -> IntArray:
        self._served[person, contents] = True
        return contents


class RandomFeed:
    """Every content that a person has not been served is equally likely."""

    def __init__(self, world: World, seed: int) -> None:
        self._generator = np.random.default_rng(seed)
        self._served = ServedContents(world)

    def feed(self, viewer: Viewer, limit: int) -> IntArray:
        fresh = self._served.fresh(viewer)
        count = min(limit, len(fresh))
        return self._served.serve(viewer.person, self._generator.choice(fresh, size=count, replace=False))

    def learn(self, contents: IntArray, viewed: BoolArray) -> None:
        """Nothing: chance has no memory."""


class PopularFeed:
    """The contents with the best share of views so far, shown to everybody alike.

    The score is (views + prior * mean) / (showings + prior): a content shown once does not lead for its luck.
    Counting views alone does worse, since what was shown first stays on top. New contents get their chance
    when people have seen what leads, for nobody is served a content twice.
    """

    prior = 5.0

    def __init__(self, world: World, seed: int) -> None:
        self._generator = np.random.default_rng(seed)
        self._served = ServedContents(world)
        self._shown = np.zeros(len(world.contents))
        self._viewed = np.zeros(len(world.contents))

    def feed(self, viewer: Viewer, limit: int) -> IntArray:
        fresh = self._served.fresh(viewer)
        mean = self._viewed.sum() / max(self._shown.sum(), 1.0)
        scores = (self._viewed[fresh] + self.prior * mean) / (self._shown[fresh] + self.prior)
        scores += 1e-6 * self._generator.random(len(fresh))  # contents that stand alike come in any order
        if limit < len(fresh):
            best = np.argpartition(-scores, limit)[:limit]
            best = best[np.argsort(-scores[best])]
        else:
            best = np.argsort(-scores)
        return self._served.serve(viewer.person, fresh[best])

    def learn(self, contents: IntArray, viewed: BoolArray) -> None:
        self._shown[contents] += 1.0
        self._viewed[contents] += viewed


class OracleFeed:
    """Knows the truth and fills a slate greedily, the boredom of its own choice included: the ceiling."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._served = ServedContents(world)

    def feed(self, viewer: Viewer, limit: int) -> IntArray:
        settings = self._world.settings
        fresh = self._served.fresh(viewer)
        topics = self._world.contents.topics[fresh]
        logits = viewer.logits(fresh)
        chosen: list[int] = []
        for _ in range(min(limit, len(fresh))):
            best = int(np.argmax(logits))
            chosen.append(best)
            logits[topics == topics[best]] -= settings.boredom
            logits[best] = -np.inf
        return self._served.serve(viewer.person, fresh[chosen])

    def learn(self, contents: IntArray, viewed: BoolArray) -> None:
        """Nothing: it knows already."""
