"""What happened in one copy of the world, in bins of its time. Bots are not counted."""

from __future__ import annotations

import numpy as np

from messages.arrays import DoubleArray, IntArray
from simulations.behaviour import Viewer, WatchedSlate
from simulations.dynamics import HOUR
from simulations.world import World

NUM_BINS = 48
_REGRET_EVERY = 4
"""The regret of one slate in so many is computed: it needs the truth about the whole catalogue."""

CURVES = ("engagement", "watch_time", "regret", "diversity", "freshness", "creators", "sessions")


class ArmRecord:
    """Fed one slate at a time, in the order of time.

    slates: one row a slate (moment, shown, viewed), for what is measured by interactions instead of time.
    """

    def __init__(self, world: World, hours: float) -> None:
        self._world = world
        self._bin_seconds = hours * HOUR / NUM_BINS
        names = (
            "shown",
            "viewed",
            "seconds",
            "regret",
            "regret_slates",
            "topics",
            "slates",
            "fresh",
            "sessions",
        )
        self._sums = {name: np.zeros(NUM_BINS) for name in names}
        self._creators = np.zeros((NUM_BINS, world.settings.num_creators))
        self.topics_shown = np.zeros((NUM_BINS, world.settings.num_topics))
        self.first_shown = np.zeros(len(world.contents), dtype=np.int64)
        self.visited = np.zeros((NUM_BINS, len(world.people)), dtype=np.bool_)
        self.slates: list[tuple[float, int, int]] = []
        self.num_interactions = 0

    def slate(
        self, viewer: Viewer, contents: IntArray, watched: WatchedSlate, best: DoubleArray | None, own: float
    ) -> None:
        """best: what the truth says of the best slate, None where it was not asked; own: of this one."""
        place = min(int(viewer.moment / self._bin_seconds), NUM_BINS - 1)
        sums, published = self._sums, self._world.contents
        count, num_viewed = len(contents), int(watched.viewed.sum())
        sums["shown"][place] += count
        sums["viewed"][place] += num_viewed
        sums["seconds"][place] += watched.watch_seconds.sum()
        sums["slates"][place] += 1
        topics, creators = published.topics[contents].tolist(), published.creators[contents].tolist()
        sums["topics"][place] += len(set(topics))
        sums["fresh"][place] += (viewer.moment + published.ages[contents] < 6 * HOUR).sum()
        if best is not None:
            sums["regret"][place] += float(best.mean()) - own
            sums["regret_slates"][place] += 1
        of_creators, of_topics = self._creators[place], self.topics_shown[place]
        for content, topic, creator in zip(contents.tolist(), topics, creators, strict=True):
            of_creators[creator] += 1.0
            of_topics[topic] += 1.0
            self.first_shown[content] += 1
        self.visited[place, viewer.person] = True
        self.slates.append((viewer.moment, count, num_viewed))
        self.num_interactions += count

    def share_of_topics(self, count: int) -> DoubleArray:
        """Return the share of the first `count` topics in what was shown, float64 [bins], NaN where nothing
        was."""
        with np.errstate(invalid="ignore"):
            shares: DoubleArray = self.topics_shown[:, :count].sum(axis=1) / self.topics_shown.sum(axis=1)
        return shares

    def wants_regret(self) -> bool:
        return len(self.slates) % _REGRET_EVERY == 0

    def session(self, moment: float) -> None:
        """Count the beginning of a session."""
        self._sums["sessions"][min(int(moment / self._bin_seconds), NUM_BINS - 1)] += 1

    def hours(self) -> DoubleArray:
        """Return the middle of every bin."""
        return (np.arange(NUM_BINS) + 0.5) * self._bin_seconds / HOUR

    def curves(self) -> dict[str, DoubleArray]:
        """Return every curve of CURVES, float64 [bins], NaN where nothing happened.

        engagement: share of shown contents viewed. watch_time: minutes a person and hour. regret: the chance
        of a view that the truth would have had more, per content. diversity: topics a slate. freshness: share
        of shown contents younger than 6 hours. creators: effective number of creators, exp(entropy of their
        shares). sessions: begun, per person and day.
        """
        sums = self._sums
        people = len(self._world.people) - self._world.num_bots
        bin_hours = self._bin_seconds / HOUR
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = self._creators / self._creators.sum(axis=1, keepdims=True)
            entropy = -np.nansum(np.where(shares > 0, shares * np.log(shares), 0.0), axis=1)
            return {
                "engagement": sums["viewed"] / sums["shown"],
                "watch_time": sums["seconds"] / 60 / people / bin_hours,
                "regret": sums["regret"] / sums["regret_slates"],
                "diversity": sums["topics"] / sums["slates"],
                "freshness": sums["fresh"] / sums["shown"],
                "creators": np.where(sums["shown"] > 0, np.exp(entropy), np.nan),
                "sessions": sums["sessions"] / people / bin_hours * 24,
            }

    def engagement(self, since: float = 0.5) -> float:
        """Return the share of shown contents that were viewed after this part of the time that the copy ran,
        NaN where none was shown."""
        if not self.slates:
            return float("nan")
        moments, shown, viewed = np.array(self.slates).T
        late = moments >= since * moments[-1]
        return float(viewed[late].sum() / max(shown[late].sum(), 1.0))

    def retention(self) -> float:
        """Return the share of those who came in the first third that came in the last third too."""
        third = NUM_BINS // 3
        early, late = self.visited[:third].any(axis=0), self.visited[-third:].any(axis=0)
        return float((early & late).sum() / early.sum()) if early.any() else float("nan")

    def total(self, name: str) -> float:
        return float(self._sums[name].sum())
