"""Who composes the slates of one copy of the world: a policy, or the whole system in this process."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from messages.arrays import IntArray
from simulations.behaviour import Viewer, WatchedSlate
from simulations.in_process import InProcessSettings, InProcessSystem
from simulations.policies import FeedPolicy, OracleFeed, PopularFeed, RandomFeed
from simulations.tag_likes import TagLikesFeed
from simulations.world import World

START_TIME = 1_767_225_600.0
"""Epoch seconds at which every simulated world begins: midnight, 1 January 2026, UTC."""

_INTERVALS = {"5min": 300.0, "30min": 1_800.0, "5h": 18_000.0}
REFITTED: tuple[str, ...] = ("frozen", "batch")
REFITS: dict[str, float] = {
    f"{kind}-{interval}": seconds for kind in REFITTED for interval, seconds in _INTERVALS.items()
}
"""Seconds of the world between two refits. frozen: of the model; batch: of all that is learned, what is known
of people and contents too."""

POLICIES: tuple[str, ...] = ("random", "popular", "tags", *REFITTED, "online", "oracle")


class SimulatedFeed(Protocol):
    """Serves slates and hears what people did with them; time is in the viewer's `moment`."""

    def serve(self, viewer: Viewer, limit: int) -> tuple[IntArray, str | None]:
        """Return contents, int64 [n], best first, and the id of the request where there is one."""
        ...

    def tell(self, viewer: Viewer, contents: IntArray, slate: WatchedSlate) -> None: ...


class PolicyServed:
    """A policy of `policies.py`."""

    def __init__(self, policy: FeedPolicy) -> None:
        self._policy = policy

    def serve(self, viewer: Viewer, limit: int) -> tuple[IntArray, str | None]:
        return self._policy.feed(viewer, limit), None

    def tell(self, viewer: Viewer, contents: IntArray, slate: WatchedSlate) -> None:
        if isinstance(self._policy, TagLikesFeed):
            self._policy.learn_of(viewer, contents, slate)
        else:
            self._policy.learn(contents, slate.viewed)


class SystemServed:
    """The system's own objects, with learning on.

    It joins, learns and syncs when `sync_seconds` of the world have passed or `sync_slates` were watched, so
    a person's next slate knows what came of the one before. With `refit_seconds` the weights that serve move
    only that often, while states and counters move as ever: Monolith's sync interval (2209.07663, 4.2). With
    `batch` states and counters wait for the refit too.
    """

    def __init__(
        self,
        world: World,
        settings: InProcessSettings,
        *,
        refit_seconds: float | None = None,
        batch: bool = False,
        seed: int = 0,
        sync_seconds: float = 60.0,
        sync_slates: int = 25,
        system: InProcessSystem | None = None,
    ) -> None:
        self.system = system or InProcessSystem(settings, seed=seed, refit_seconds=refit_seconds, batch=batch)
        self._world = world
        self._sync_seconds = sync_seconds
        self._sync_slates = sync_slates
        self._synced_at = -np.inf
        self._waiting = 0
        upload_times = -world.contents.ages
        self._uploads = np.argsort(upload_times, kind="stable").tolist()
        self._upload_times = upload_times[self._uploads].tolist()
        self._num_uploaded = 0

    def serve(self, viewer: Viewer, limit: int) -> tuple[IntArray, str | None]:
        uploaded = self._upload(viewer.moment)
        due = viewer.moment - self._synced_at >= self._sync_seconds or self._waiting >= self._sync_slates
        if due and (self._waiting or uploaded):
            self.system.advance(START_TIME + viewer.moment)
            self._synced_at, self._waiting = viewer.moment, 0
        feed = self.system.feed(viewer.user_id, limit, START_TIME + viewer.moment)
        index_of = self._world.contents.index_of
        return np.array([index_of(name) for name in feed.content_ids], dtype=np.int64), feed.request_id

    def tell(self, viewer: Viewer, contents: IntArray, slate: WatchedSlate) -> None:  # noqa: ARG002
        if slate.events:
            self.system.post(slate.events, START_TIME + viewer.moment)
            self._waiting += 1

    def _upload(self, moment: float) -> bool:
        before = self._num_uploaded
        while self._num_uploaded < len(self._uploads) and self._upload_times[self._num_uploaded] <= moment:
            facts = self._world.contents.facts(self._uploads[self._num_uploaded], START_TIME)
            self.system.put_content(facts, START_TIME + moment)
            self._num_uploaded += 1
        return self._num_uploaded > before


def names_of(against: tuple[str, ...]) -> tuple[str, ...]:
    """Spell `frozen` and `batch` out and keep the order.

    random and oracle, which the gap is between, are always there. Raises ValueError for an unknown policy.
    """
    names: dict[str, None] = {}
    for policy in ("random", *against, "oracle"):
        if policy not in POLICIES and policy not in REFITS:
            raise ValueError(f"policy {policy!r}: known are {', '.join(POLICIES)}, {', '.join(REFITS)}")
        every = [name for name in REFITS if name.startswith(f"{policy}-")] if policy in REFITTED else [policy]
        names.update(dict.fromkeys(every))
    return tuple(names)


def feed_of(name: str, world: World, settings: InProcessSettings) -> SimulatedFeed:
    """Build one of `names_of`."""
    seed = world.settings.seed
    if name == "random":
        return PolicyServed(RandomFeed(world, seed=seed + 1))
    if name == "popular":
        return PolicyServed(PopularFeed(world, seed=seed + 2))
    if name == "tags":
        return PolicyServed(TagLikesFeed(world, seed=seed + 3))
    if name == "oracle":
        return PolicyServed(OracleFeed(world))
    batch = name.startswith("batch-")
    return SystemServed(world, settings, refit_seconds=REFITS.get(name), batch=batch, seed=seed)
