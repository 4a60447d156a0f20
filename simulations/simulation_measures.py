"""What is measured of copies of one world, and intervals over seeds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from messages.arrays import DoubleArray
from simulations.arm_record import NUM_BINS, ArmRecord
from simulations.dynamics import HOUR
from simulations.presets import Preset
from simulations.world import World

_LEVEL_BEFORE = 1_500
LEVEL_WINDOW = 300
"""Interactions in a row that must reach the level of before: no recovery is measured as shorter."""
_RECOVERED = 0.9
_LOST_WINDOW = 3_000
_REACHED = 0.8
_NEW_IMPRESSIONS = 200
_LEAST_DESERVED = 5
_GOOD_QUANTILE = 0.75


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over seeds with its 95% interval by Student's t; low and high are None for fewer than two."""

    mean: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> Estimate:
        known = [value for value in values if math.isfinite(value)]
        if not known:
            return cls(None, None, None)
        mean = float(np.mean(known))
        if len(known) < 2:
            return cls(mean, None, None)
        reach = (
            float(special.stdtrit(len(known) - 1, 0.975))
            * float(np.std(known, ddof=1))
            / math.sqrt(len(known))
        )
        return cls(mean, mean - reach, mean + reach)

    def interval(self) -> list[float | None]:
        return [self.low, self.high]


def gap_closed(records: Mapping[str, ArmRecord]) -> dict[str, float]:
    """Return (e(policy) - e(random)) / (e(oracle) - e(random)), e the share viewed in the second half."""
    low, high = records["random"].engagement(), records["oracle"].engagement()
    gap = high - low
    return {
        name: (record.engagement() - low) / gap if gap > 0 else float("nan")
        for name, record in records.items()
    }


def recovery_interactions(record: ArmRecord, jump_hours: Sequence[float]) -> float:
    """Return after how many interactions a feed is back at 90% of its level, the mean over jumps.

    The level is the share viewed in the last 1,500 interactions before the jump; back is where 300 in a row
    reach it. A feed that is not back before the next jump, or the end, counts all that came until then: the
    figure is a lower bound then. NaN without jumps or interactions before one.
    """
    found = [
        _first_back(shown, viewed, _RECOVERED * level)
        for level, shown, viewed in _after_jumps(record, jump_hours)
    ]
    return float(np.mean(found)) if found else float("nan")


def lost_after_jump(record: ArmRecord, jump_hours: Sequence[float]) -> float:
    """Return the part of its level that a feed lacks over the 3,000 interactions after a jump, the mean over
    jumps: (level - share viewed) / level, below 0 where it does better than before.

    Ten times as many views decide it as the window of a recovery holds, so it tells feeds apart that all are
    back soon. A jump with fewer interactions before the next, or the end, is measured on those. NaN as above.
    """
    found = []
    for level, shown, viewed in _after_jumps(record, jump_hours):
        soon = slice(int(np.searchsorted(np.cumsum(shown), _LOST_WINDOW)) + 1)
        found.append(1 - viewed[soon].sum() / shown[soon].sum() / level)
    return float(np.mean(found)) if found else float("nan")


def _after_jumps(
    record: ArmRecord, jump_hours: Sequence[float]
) -> Iterator[tuple[float, DoubleArray, DoubleArray]]:
    """Yield the level before each jump, and shown and viewed of each slate from it to the next or the end."""
    if not record.slates:
        return
    moments, shown, viewed = (
        np.array(column, dtype=np.float64) for column in zip(*record.slates, strict=True)
    )
    bounds = [*(hour * HOUR for hour in jump_hours), np.inf]
    for jump, end in itertools.pairwise(bounds):
        start, stop = np.searchsorted(moments, [jump, end])
        count = np.cumsum(shown[:start][::-1])
        before = slice(start - int(np.searchsorted(count, _LEVEL_BEFORE)) if len(count) else start, start)
        if before.start < 0 or not viewed[before].sum() or start == stop:
            continue
        yield float(viewed[before].sum() / shown[before].sum()), shown[start:stop], viewed[start:stop]


def _first_back(shown: np.ndarray, viewed: np.ndarray, level: float) -> float:
    total_shown, total_viewed = np.cumsum(shown), np.cumsum(viewed)
    starts = np.searchsorted(total_shown, total_shown - LEVEL_WINDOW, side="right") - 1
    full = total_shown >= LEVEL_WINDOW
    earlier_shown = np.where(starts >= 0, total_shown[starts], 0)
    earlier_viewed = np.where(starts >= 0, total_viewed[starts], 0)
    shares = (total_viewed - earlier_viewed) / np.maximum(total_shown - earlier_shown, 1)
    back = np.flatnonzero(full & (shares >= level))
    return float(total_shown[back[0]] if len(back) else total_shown[-1])


def new_good_reached(record: ArmRecord, oracle: ArmRecord, preset: Preset, world: World) -> float:
    """Return the share of new good contents that got at least 80% of their deserved impressions.

    New: uploaded while the world ran, in its first three quarters. Good: the upper quarter of them by the
    mean chance of a view over all people. Deserved: what the oracle's feed gave the content, scaled to this
    feed's number of impressions, at most 200; where that is under 5, chance decides, and the content is left
    out. NaN where the world has none such: it takes some hundred people.
    """
    uploads = -world.contents.ages
    new = np.flatnonzero((uploads > 0) & (uploads < 0.75 * preset.hours * HOUR))
    if not len(new):
        return float("nan")
    people = range(0, len(world.people), max(1, len(world.people) // 40))
    end = preset.hours * HOUR
    worth = np.mean([world.true_engagement_probability(person, new, end) for person in people], axis=0)
    good = new[worth >= np.quantile(worth, _GOOD_QUANTILE)]
    scale = record.num_interactions / max(oracle.num_interactions, 1)
    deserved = np.minimum(oracle.first_shown[good] * scale, _NEW_IMPRESSIONS)
    wanted = deserved >= _LEAST_DESERVED
    if not wanted.any():
        return float("nan")
    return float((record.first_shown[good][wanted] >= _REACHED * deserved[wanted]).mean())


def suppressed_regained(record: ArmRecord, oracle: ArmRecord, world: World) -> float:
    """Return the once suppressed topics' share of the last quarter's slates, over the oracle's."""
    topics = world.settings.dynamics.suppressed_topics
    shares = []
    for copy in (record, oracle):
        last = copy.topics_shown[-NUM_BINS // 4 :].sum(axis=0)
        shares.append(float(last[:topics].sum() / last.sum()) if topics and last.sum() else float("nan"))
    return shares[0] / shares[1] if shares[1] else float("nan")
