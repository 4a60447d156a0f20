"""How many of a part there should be: by what waits for it, by what it holds, and never in haste.

The number wanted follows Kubernetes' horizontal autoscaler: load by what one carries, rounded up, and nothing
is done within a tolerance; a wish must have held for a while, longer to shrink than to grow. What waits in a
stream is load that must be done within a time, besides what comes in.
"""

from __future__ import annotations

import math
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class ScalingSettings(BaseModel):
    """Of one kind of part. each: what one carries, in the unit of its load. tolerance: share of the present
    number's load within which nothing changes. grow_after, shrink_after: seconds that a wish must hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    least: int = Field(default=1, ge=1)
    most: int = Field(default=1, ge=1)
    each: float = Field(gt=0)
    tolerance: float = Field(default=0.1, ge=0, lt=1)
    grow_after: float = Field(default=30.0, ge=0)
    shrink_after: float = Field(default=600.0, ge=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.least > self.most:
            raise ValueError(f"least ({self.least}) is above most ({self.most})")
        return self


def load_of_stream(come_per_second: float, waiting: float, catch_up_seconds: float) -> float:
    """Return the rows a second to be done so that what waits is gone in time."""
    return come_per_second + waiting / catch_up_seconds


def number_wanted(settings: ScalingSettings, load: float, running: int) -> int:
    """Return how many a load needs, within the bounds; `running` where it is close to what those carry."""
    carried = running * settings.each
    if carried and abs(load / carried - 1.0) <= settings.tolerance:
        wanted = running
    else:
        wanted = math.ceil(load / settings.each)
    return min(max(wanted, settings.least), settings.most)


class ScalingPolicy:
    """Decides for one kind of part, on whatever clock it is given."""

    def __init__(self, settings: ScalingSettings) -> None:
        self._settings = settings
        self._wishes: list[tuple[float, int]] = []

    def decide(self, now: float, load: float, running: int) -> int:
        """Return how many there should be from now on. now: seconds, rising. load: in the unit of `each`.

        It grows to the least that was wanted all through `grow_after`, shrinks to the most that was wanted
        all through `shrink_after`: a short peak starts nothing, a short lull ends nothing.
        """
        settings = self._settings
        self._wishes.append((now, number_wanted(settings, load, running)))
        horizon = max(settings.grow_after, settings.shrink_after)
        while len(self._wishes) > 1 and self._wishes[1][0] <= now - horizon:
            del self._wishes[0]
        lowest = min(self._wished_for(now, settings.grow_after), default=running)
        if lowest > running:
            return lowest
        highest = max(self._wished_for(now, settings.shrink_after), default=running)
        if highest < running:
            return highest
        return min(max(running, settings.least), settings.most)

    def _wished_for(self, now: float, seconds: float) -> list[int]:
        """Return every wish of the last `seconds`; empty where nothing is known of so long ago."""
        start = now - seconds
        if self._wishes[0][0] > start:
            return []
        first = max(place for place, (time, _) in enumerate(self._wishes) if time <= start)
        return [wish for _, wish in self._wishes[first:]]
