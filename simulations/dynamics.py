"""What changes in the world while people scroll: tastes, trends, uploads, arrivals. All off by default.

With t in seconds since the world began, and everything a function of (seed, who, t), so that any moment can
be asked for in any order:

    D_k(u, t)   = a sqrt(2 / 3) sum_m cos(2 pi r_m t / drift + phase(u, k, m)) - the same at t = 0     drift
    T(u, k, t)  = T0(u, perm_j(u)(k)) + D_k(u, t)       j jumps have come; a jumper's topics are shuffled
    trend(g, t) = strength x exp(1 - x), x = (t - start_g) / rise, 0 before the start, for the tag g
    boost(i, t) = max over the tags g of i of trend(g, t), minus the suppression while its topic is held down

A trend is full `rise` after its start and half gone after 2.7 times that. The drift starts at 0 and has the
deviation a sqrt(2) far from the start. Shuffling keeps how many topics a person likes, so the ceiling stays.
"""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from messages.arrays import BoolArray, DoubleArray, IntArray
from simulations.hashed_draws import uniform_draws

HOUR = 3_600.0

_PHASES = np.array([301, 302, 303], dtype=np.uint64)
_FREQUENCIES = np.array([0.5, 1.0, 1.7])
_JUMPS = np.array([311], dtype=np.uint64)
_SHUFFLE = np.array([312], dtype=np.uint64)
_TREND_CACHE_SECONDS = 30.0


class DynamicsSettings(BaseModel):
    """Strengths are log-odds, times hours of the world. A strength or share of 0 switches a force off."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    drift_deviation: float = Field(default=0.0, ge=0)
    drift_hours: float = Field(default=24.0, gt=0)
    jump_hours: tuple[float, ...] = ()
    """When tastes jump."""
    jump_share: float = Field(default=0.5, ge=0, le=1)
    """Of all people, drawn anew for every jump."""
    uploaded_later: float = Field(default=0.0, ge=0, le=1)
    """Share of the contents that are uploaded while the world runs, evenly over `upload_hours`."""
    upload_hours: float = Field(default=24.0, gt=0)
    arriving_later: float = Field(default=0.0, ge=0, le=1)
    """Share of the people who come for the first time within `upload_hours`."""
    num_trends: int = Field(default=0, ge=0)
    trend_strength: float = Field(default=2.0, ge=0)
    trend_rise_hours: float = Field(default=0.5, gt=0)
    suppressed_topics: int = Field(default=0, ge=0)
    """The first so many topics are held down until `suppressed_hours`, by everybody's dislike."""
    suppressed_hours: float = Field(default=0.0, ge=0)
    suppression: float = Field(default=3.0, ge=0)


class WorldDynamics:
    """tag_table: tag numbers of each content, int64 [contents, most tags], -1 where there are fewer."""

    def __init__(
        self, settings: DynamicsSettings, seed: int, num_topics: int, tag_table: IntArray, topics: IntArray
    ) -> None:
        self.settings = settings
        self._seed = seed
        self._tags = tag_table
        self._topics = topics
        generator = np.random.default_rng([seed, 77])
        num_tags = int(tag_table.max(initial=0)) + 1
        self._trend_tags = generator.integers(num_tags, size=settings.num_trends)
        self._trend_starts = generator.uniform(0, settings.upload_hours * HOUR, size=settings.num_trends)
        self._num_tags = num_tags
        self._topic_numbers = np.arange(num_topics, dtype=np.uint64)
        self._trending: tuple[float, DoubleArray] | None = None
        self._jumps = np.array(sorted(settings.jump_hours)) * HOUR

    def num_jumps(self, time: float) -> int:
        """Return how many jumps have come by `time`."""
        return int(np.searchsorted(self._jumps, time, side="right"))

    def jumps(self, person: int) -> BoolArray:
        """Say at which of the jumps this person's tastes jump, bool [jumps]."""
        numbers = np.arange(len(self._jumps), dtype=np.uint64)
        return uniform_draws(self._seed, _JUMPS, numbers, person)[0] < self.settings.jump_share

    def tastes(self, person: int, base: DoubleArray, time: float) -> DoubleArray:
        """Return the log-odds that each topic adds for a person now; base: at the start, float64 [topics]."""
        settings = self.settings
        tastes = base
        if self.num_jumps(time):
            jumped = np.flatnonzero(self.jumps(person)[: self.num_jumps(time)])
            if len(jumped):  # only the last one shows: each shuffles the tastes of the start
                draws = uniform_draws(
                    self._seed, _SHUFFLE + np.uint64(int(jumped[-1]) << 16), self._topic_numbers, person
                )[0]
                tastes = base[np.argsort(draws)]
        if settings.drift_deviation:
            phases = 2 * np.pi * uniform_draws(self._seed, _PHASES, self._topic_numbers, person)
            turns = (2 * np.pi * time / (settings.drift_hours * HOUR)) * _FREQUENCIES[:, None]
            waves = (np.cos(phases + turns) - np.cos(phases)).sum(axis=0)
            tastes = tastes + settings.drift_deviation * np.sqrt(2 / 3) * waves
        return tastes

    def boosts(self, contents: IntArray, time: float) -> DoubleArray | float:
        """Return what trends add to everybody's log-odds now and suppression takes, float64 [n] or 0."""
        settings = self.settings
        boosts: DoubleArray | float = 0.0
        if settings.num_trends:
            boosts = self._tag_trends(time)[self._tags[contents]].max(axis=1)
        if settings.suppressed_topics and time < settings.suppressed_hours * HOUR:
            held = self._topics[contents] < settings.suppressed_topics
            boosts = boosts - settings.suppression * held
        return boosts

    def _tag_trends(self, time: float) -> DoubleArray:
        """Return the trend of every tag, float64 [tags + 1]; the last is 0, for a tag that is not there."""
        moment = time // _TREND_CACHE_SECONDS
        if self._trending is None or self._trending[0] != moment:
            settings = self.settings
            age = (time - self._trend_starts) / (settings.trend_rise_hours * HOUR)
            heights = np.where(age > 0, settings.trend_strength * age * np.exp(1 - np.clip(age, 0, 500)), 0.0)
            trends = np.zeros(self._num_tags + 1)
            np.maximum.at(trends, self._trend_tags, heights)
            self._trending = (moment, trends)
        return self._trending[1]

    def upload_ages(self, ages: DoubleArray) -> DoubleArray:
        """Move uploads into the run where they come later: a negative age is seconds after the start."""
        if not self.settings.uploaded_later:
            return ages
        generator = np.random.default_rng([self._seed, 78])
        late = generator.random(len(ages)) < self.settings.uploaded_later
        times = generator.uniform(0, self.settings.upload_hours * HOUR, size=len(ages))
        return np.where(late, -times, ages)

    def arrivals(self, num_people: int) -> DoubleArray:
        """Return when each person comes for the first time at the earliest, seconds, float64 [n]."""
        generator = np.random.default_rng([self._seed, 79])
        late = generator.random(num_people) < self.settings.arriving_later
        times = generator.uniform(0, self.settings.upload_hours * HOUR, size=num_people)
        return np.where(late, times, 0.0)


def table_of_tags(tags: tuple[tuple[int, ...], ...]) -> IntArray:
    """Lay bags of tags side by side, int64 [n, most tags], -1 where there are fewer."""
    table = np.full((len(tags), max((len(bag) for bag in tags), default=1)), -1, dtype=np.int64)
    for row, bag in enumerate(tags):
        table[row, : len(bag)] = bag
    return table
