"""What a jump of tastes costs a feed, and how soon it is back.

Whether a content is viewed is a coin: three hundred in a row are at nine tenths of a level by luck as
often as by learning. So a recovery is read off one curve over all copies and all jumps, and how sure it is
off copies drawn again.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from messages.arrays import BoolArray, DoubleArray, IntArray
from simulations.arm_record import ArmRecord
from simulations.dynamics import HOUR
from simulations.simulation_measures import Estimate

RECOVERED = 0.9
_LEVEL_BEFORE = 1_500
_LOST_WINDOW = 3_000
STEP = 10
_POOLED_WINDOW = 2_000
"""Contents that one point of the curve rests on, all copies and jumps together: a share of 0.6 of so many is
sure to 0.011, a sixth of the tenth that is looked for."""
_NUM_RESAMPLES = 1_000
_SEED = 900


@dataclass(frozen=True, slots=True)
class AfterJumps:
    """One feed's views after every jump, of c copies with j jumps, by n steps of 10 contents since the jump.

    viewed: float64 [c, j, n], 0 where there is nothing more. shown: the same, 10 a step while a copy lasts.
    level_viewed, level_shown: float64 [c, j], of the last 1,500 contents before the jump.
    """

    viewed: DoubleArray
    shown: DoubleArray
    level_viewed: DoubleArray
    level_shown: DoubleArray

    @classmethod
    def of(cls, records: Sequence[ArmRecord], jump_hours: Sequence[float]) -> AfterJumps | None:
        """None where no copy has anything before and after a jump."""
        found = {
            (copy, jump): part
            for copy, record in enumerate(records)
            for jump, part in _after_jumps(record, jump_hours)
        }
        if not found:
            return None
        size = len(records), len(jump_hours)
        num_steps = max(int(shown.sum()) // STEP for _, _, shown, _ in found.values())
        after = cls(*(np.zeros((*size, *rest)) for rest in ((num_steps,), (num_steps,), (), ())))
        for place, (level_shown, level_viewed, shown, viewed) in found.items():
            steps = np.arange(int(shown.sum()) // STEP + 1) * STEP
            so_far = np.interp(steps, np.cumsum([0, *shown]), np.cumsum([0, *viewed]))
            after.viewed[place][: len(steps) - 1] = np.diff(so_far)
            after.shown[place][: len(steps) - 1] = STEP
            after.level_viewed[place], after.level_shown[place] = level_viewed, level_shown
        return after

    @property
    def window(self) -> int:
        """Return over how many contents in a row of each copy the curve is a mean."""
        parts = int(np.count_nonzero(self.level_shown))
        return STEP * -(-_POOLED_WINDOW // (STEP * parts))

    def levels(self, weights: DoubleArray) -> DoubleArray:
        """Return the share viewed before the jumps, float64 [w]; weights: how often each copy counts, float64
        [w, c]."""
        with np.errstate(invalid="ignore"):  # a draw may have none that had anything before a jump
            levels: DoubleArray = (weights @ self.level_viewed.sum(axis=1)) / (
                weights @ self.level_shown.sum(axis=1)
            )
        return levels

    def curves(self, weights: DoubleArray) -> DoubleArray:
        """Return the share viewed in the last `window` contents, at the end of every step, float64 [w, n].

        NaN where no whole window has passed, or where less than half of all that was shown at first is: the
        last few copies would be too few. weights: as for `levels`.
        """
        steps = self.window // STEP
        viewed, shown = (
            np.cumsum(weights @ counts.sum(axis=1), axis=1) for counts in (self.viewed, self.shown)
        )
        curves = np.full(viewed.shape, np.nan)
        if viewed.shape[1] < steps:
            return curves
        for so_far in (viewed, shown):
            so_far[:, steps:] -= so_far[:, :-steps].copy()
        enough = shown >= shown[:, steps - 1 : steps] / 2
        enough[:, : steps - 1] = False
        np.divide(viewed, shown, out=curves, where=enough & (shown > 0))
        return curves

    def recovered(self, weights: DoubleArray, levels: DoubleArray) -> DoubleArray:
        """Return after how many contents the curve is first at 90% of a level, float64 [w].

        All over which the curve is known, or that there are, where it never is: a lower bound.
        """
        curves = self.curves(weights)
        back: BoolArray = curves >= RECOVERED * levels[:, None]
        finite = np.isfinite(curves)
        known = np.where(finite.any(axis=1), finite.cumsum(axis=1).argmax(axis=1) + 1, curves.shape[1])
        first: IntArray = np.where(back.any(axis=1), back.argmax(axis=1) + 1, known)
        return first.astype(np.float64) * STEP


@dataclass(frozen=True, slots=True)
class Recoveries:
    """By policy, each with its 95% interval.

    own_level: interactions until a feed is back at 90% of its own level before the jump. online_level: until
    it is at 90% of `online`'s, which is what people miss; a feed that has little to lose is soon back at its
    own. after_online: in which part of the draws that is later than online is there. never: the policies that
    did not come to that level, whose interactions are lower bounds. The last three are empty without online.
    """

    own_level: dict[str, Estimate]
    online_level: dict[str, Estimate]
    after_online: dict[str, Estimate]
    never: frozenset[str]
    after: dict[str, AfterJumps]


def recoveries(by_policy: Mapping[str, Sequence[ArmRecord]], jump_hours: Sequence[float]) -> Recoveries:
    """Measure all policies on the same draws of copies, so that they can be compared draw by draw.

    A draw takes as many seeds as there are, with repeats (Efron's bootstrap): for one seed there is no
    interval.
    """
    num_copies = len(next(iter(by_policy.values())))
    draws = np.random.default_rng(_SEED).integers(num_copies, size=(_NUM_RESAMPLES, num_copies))
    drawn = (draws[:, :, None] == np.arange(num_copies)).sum(axis=1).astype(np.float64)
    weights = np.concatenate([np.ones((1, num_copies)), drawn])  # first the copies as they are
    after = {
        name: found
        for name, records in by_policy.items()
        if (found := AfterJumps.of(records, jump_hours)) is not None
    }
    own = {name: found.recovered(weights, found.levels(weights)) for name, found in after.items()}
    online: dict[str, DoubleArray] = {}
    never: frozenset[str] = frozenset()
    if "online" in after:
        levels = after["online"].levels(weights)
        online = {name: found.recovered(weights, levels) for name, found in after.items()}
        level = RECOVERED * float(levels[0])
        never = frozenset(
            name for name, found in after.items() if not (found.curves(weights[:1]) >= level).any()
        )
    later = {
        name: Estimate(float((found[1:] > online["online"][1:]).mean()), None, None)
        for name, found in online.items()
        if num_copies > 1 and name != "online"
    }
    unknown = dict.fromkeys(by_policy, Estimate(None, None, None))
    several = num_copies > 1
    return Recoveries(unknown | _estimates(own, several), _estimates(online, several), later, never, after)


def _estimates(found: Mapping[str, DoubleArray], several: bool) -> dict[str, Estimate]:
    """Return what the copies as they are say, and where there are several the interval of the draws."""
    estimates = {}
    for name, (whole, *drawn) in found.items():
        low, high = np.quantile(drawn, [0.025, 0.975]).tolist() if several else (None, None)
        estimates[name] = Estimate(float(whole), low, high)
    return estimates


def lost_after_jump(record: ArmRecord, jump_hours: Sequence[float]) -> float:
    """Return the part of its level that a feed lacks over the 3,000 interactions after a jump, the mean over
    jumps: (level - share viewed) / level, below 0 where it does better than before.

    A jump with fewer interactions before the next, or the end, is measured on those. NaN without jumps or
    interactions before one.
    """
    found = []
    for _, (level_shown, level_viewed, shown, viewed) in _after_jumps(record, jump_hours):
        soon = slice(int(np.searchsorted(np.cumsum(shown), _LOST_WINDOW)) + 1)
        found.append(1 - viewed[soon].sum() / shown[soon].sum() / (level_viewed / level_shown))
    return float(np.mean(found)) if found else float("nan")


def _after_jumps(
    record: ArmRecord, jump_hours: Sequence[float]
) -> Iterator[tuple[int, tuple[float, float, DoubleArray, DoubleArray]]]:
    """Yield each jump's number, shown and viewed before it, and shown and viewed of each slate from it to the
    next or the end; a jump that nothing comes before or after is left out."""
    if not record.slates:
        return
    moments, shown, viewed = (
        np.array(column, dtype=np.float64) for column in zip(*record.slates, strict=True)
    )
    bounds = [*(hour * HOUR for hour in jump_hours), np.inf]
    for number, (jump, end) in enumerate(itertools.pairwise(bounds)):
        start, stop = np.searchsorted(moments, [jump, end])
        count = np.cumsum(shown[:start][::-1])
        before = slice(start - int(np.searchsorted(count, _LEVEL_BEFORE)) if len(count) else start, start)
        if before.start < 0 or not viewed[before].sum() or start == stop:
            continue
        level = float(shown[before].sum()), float(viewed[before].sum())
        yield number, (*level, shown[start:stop], viewed[start:stop])
