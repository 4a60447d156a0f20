"""Copies of the simulated people under feeds that are composed in the demo's own process."""

from __future__ import annotations

import numpy as np

from simulations.behaviour import Viewer, WatchedSlate
from simulations.in_process import InProcessSettings, InProcessSystem
from simulations.policies import FeedPolicy
from simulations.world import World


class PolicyArm:
    """Everybody once, served by a policy."""

    def __init__(self, world: World, policy: FeedPolicy) -> None:
        self._policy = policy
        self._viewers = [Viewer(world, person) for person in range(len(world.people))]

    def visit(self, person: int, limit: int, now: float, *, new_session: bool) -> WatchedSlate:
        """Serve one slate to one person and let them watch it; `now`: epoch seconds."""
        viewer = self._viewers[person]
        if new_session:
            viewer.start_session()
        contents = self._policy.feed(viewer, limit)
        slate = viewer.watch(contents, now)
        self._policy.learn(contents, slate.viewed)
        return slate


class FrozenArm:
    """Everybody once, served by the whole system with its learner off: what is left without learning.

    The states of people, the content counters and the trends move as they do online.
    """

    def __init__(
        self, world: World, settings: InProcessSettings, start_time: float, *, visits_per_sync: int = 8
    ) -> None:
        self._world = world
        self._system = InProcessSystem(settings, learning=False)
        self._viewers = [Viewer(world, person) for person in range(len(world.people))]
        self._visits_per_sync = visits_per_sync
        self._num_visits = 0
        for facts in world.catalogue(start_time):
            self._system.put_content(facts, start_time)
        self._system.advance(start_time)

    def visit(self, person: int, limit: int, now: float, *, new_session: bool) -> WatchedSlate:
        """Serve one slate to one person and let them watch it; `now`: epoch seconds."""
        viewer = self._viewers[person]
        if new_session:
            viewer.start_session()
        feed = self._system.feed(viewer.user_id, limit, now)
        contents = np.array(
            [self._world.contents.index_of(name) for name in feed.content_ids], dtype=np.int64
        )
        slate = viewer.watch(contents, now, feed.request_id)
        if slate.events:
            self._system.post(slate.events, now)
        self._num_visits += 1
        if self._num_visits % self._visits_per_sync == 0:
            self._system.advance(now)
        return slate
