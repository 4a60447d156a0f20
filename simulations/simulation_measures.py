"""What is measured of copies of one world, and intervals over seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from simulations.arm_record import NUM_BINS, ArmRecord
from simulations.dynamics import HOUR
from simulations.presets import Preset
from simulations.world import World

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
