"""A feed that counts which tags each person liked: the best that can be had without a model."""

from __future__ import annotations

import numpy as np

from messages.arrays import IntArray
from simulations.behaviour import Viewer, WatchedSlate
from simulations.dynamics import table_of_tags
from simulations.policies import PopularFeed
from simulations.world import World

_LIKES = frozenset({"like", "comment", "share", "save", "follow"})
_PRIOR = 4.0
_EXPLORED = 0.1


class TagLikesFeed(PopularFeed):
    """score(u, i) = mean over the tags g of i of (likes(u, g) + prior * rate) / (shown(u, g) + prior)
                     + popularity(i) / 10

    with `rate` the likes per content shown of everybody, so that an unknown tag is worth the average; one
    place in ten is drawn at random, without which a tag never shown would never be liked.
    """

    def __init__(self, world: World, seed: int) -> None:
        super().__init__(world, seed)
        self._tags = table_of_tags(world.contents.tags)
        num_tags = int(self._tags.max(initial=0)) + 2  # the last stands for a tag that is not there
        self._tag_likes = np.zeros((len(world.people), num_tags))
        self._tag_shown = np.zeros((len(world.people), num_tags))
        self._index_of = world.contents.index_of

    def feed(self, viewer: Viewer, limit: int) -> IntArray:
        fresh = self._served.fresh(viewer)
        likes, shown = self._tag_likes[viewer.person], self._tag_shown[viewer.person]
        rate = self._tag_likes.sum() / max(self._tag_shown.sum(), 1.0)
        rates = (likes + _PRIOR * rate) / (shown + _PRIOR)
        tags = self._tags[fresh]
        there = tags >= 0
        scores = (rates[tags] * there).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
        mean = self._viewed.sum() / max(self._shown.sum(), 1.0)
        popularity = (self._viewed[fresh] + self.prior * mean) / (self._shown[fresh] + self.prior)
        scores += 0.1 * popularity + 1e-6 * self._generator.random(len(fresh))
        explored = self._generator.random(len(fresh)) < _EXPLORED * limit / max(len(fresh), 1)
        scores[explored] += 10.0
        order = np.argsort(-scores, kind="stable")[:limit]
        return self._served.serve(viewer.person, fresh[order])

    def learn_of(self, viewer: Viewer, contents: IntArray, slate: WatchedSlate) -> None:
        """Count what one person was shown and liked."""
        self.learn(contents, slate.viewed)
        liked = [self._index_of(e["content_id"]) for e in slate.events if e["event_type"] in _LIKES]
        np.add.at(self._tag_shown[viewer.person], self._tags[contents], 1.0)
        np.add.at(self._tag_likes[viewer.person], self._tags[np.unique(liked).astype(np.int64)], 1.0)
        self._tag_shown[viewer.person, -1] = self._tag_likes[viewer.person, -1] = 0.0
