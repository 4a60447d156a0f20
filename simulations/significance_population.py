"""Simulated people of an experiment, many experiments at once: they arrive in cohorts and come back.

People differ in how much they watch and in what share of it they engage with; a lift multiplies that share.
Arms are drawn by the hash that serving uses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from messages.arrays import BoolArray, DoubleArray, IntArray
from messages.identifiers import mix
from monitoring.experiment_assignment import arms_of
from monitoring.user_moments import NUM_COLUMNS, Moments

NUM_ARMS = 2


class PopulationSettings(BaseModel):
    """engagement, spread: mean and standard deviation of a person's share. contents: mean number a visit.

    history_share: of people, who had been there before. return_after: batches after the first in which a
    person may come back. num_batches: of arrivals, and so of looks.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    engagement: float = Field(default=0.45, gt=0, lt=1)
    spread: float = Field(default=0.15, gt=0)
    contents: float = Field(default=4.0, gt=0)
    history_share: float = Field(default=0.7, ge=0, le=1)
    history_contents: float = Field(default=20.0, gt=0)
    return_after: tuple[int, ...] = (1, 3, 7, 15)
    num_batches: int = Field(default=40, ge=2)


@dataclass(frozen=True, slots=True)
class ArmsSoFar:
    """After one batch, of e experiments: each arm's moments, and its people, int64 [e, 2]."""

    control: Moments
    treatment: Moments
    people: IntArray


class SimulatedExperiments:
    """e experiments of cohorts of m people each, one cohort a batch. lift: relative, of the treatment."""

    def __init__(
        self,
        settings: PopulationSettings,
        *,
        num_experiments: int,
        cohort_people: int,
        lift: float,
        seed: int,
    ) -> None:
        self._settings = settings
        self._generator = np.random.default_rng(seed)
        shape = (num_experiments, settings.num_batches, cohort_people)
        keys = mix(np.arange(np.prod(shape), dtype=np.uint64) + np.uint64(seed) * np.uint64(1 << 32))
        self._treated: BoolArray = arms_of(keys, f"a-a-{seed}", (0.5, 0.5)).reshape(shape) == 1
        concentration = settings.engagement * (1 - settings.engagement) / settings.spread**2 - 1
        usual = self._generator.beta(
            settings.engagement * concentration, (1 - settings.engagement) * concentration, size=shape
        )
        self._shares = np.minimum(np.where(self._treated, usual * (1 + lift), usual), 1.0)
        self._appetites = self._generator.gamma(2.0, settings.contents / 2.0, size=shape)
        self._totals = np.zeros((*shape, NUM_COLUMNS))
        self._draw_history(usual)

    def batches(self) -> Iterator[ArmsSoFar]:
        """Let the batches happen, each with a cohort that comes for the first time."""
        num_experiments = len(self._totals)
        arms = [_nothing(num_experiments) for _ in range(NUM_ARMS)]
        by_cohort: dict[int, list[Moments]] = {}
        for batch in range(self._settings.num_batches):
            self._visit(batch, first=True)
            active = [batch, *(batch - after for after in self._settings.return_after if after <= batch)]
            for cohort in active[1:]:
                self._visit(cohort, first=False)
            for cohort in active:
                now = [self._moments(cohort, treated) for treated in (False, True)]
                before = by_cohort.get(cohort)
                for arm in range(NUM_ARMS):
                    arms[arm] = arms[arm] + now[arm]
                    if before is not None:
                        arms[arm] = _less(arms[arm], before[arm])
                by_cohort[cohort] = now
            people = np.stack([arm.count for arm in arms], axis=-1).astype(np.int64)
            yield ArmsSoFar(arms[0], arms[1], people)

    def _draw_history(self, usual: DoubleArray) -> None:
        had_been_there = self._generator.random(usual.shape) < self._settings.history_share
        scale = self._settings.history_contents / self._settings.contents
        contents = self._generator.poisson(self._appetites * scale * had_been_there)
        self._totals[..., 3] = contents
        self._totals[..., 2] = self._generator.binomial(contents, usual)

    def _visit(self, cohort: int, *, first: bool) -> None:
        contents = self._generator.poisson(self._appetites[:, cohort]) + first
        self._totals[:, cohort, :, 1] += contents
        self._totals[:, cohort, :, 0] += self._generator.binomial(contents, self._shares[:, cohort])

    def _moments(self, cohort: int, treated: bool) -> Moments:
        inside = self._treated[:, cohort] == treated
        moments = Moments.of(self._totals[:, cohort] * inside[..., None])
        return Moments(inside.sum(axis=-1).astype(np.float64), moments.sums, moments.products)


def _nothing(num_experiments: int) -> Moments:
    return Moments(
        np.zeros(num_experiments),
        np.zeros((num_experiments, NUM_COLUMNS)),
        np.zeros((num_experiments, NUM_COLUMNS, NUM_COLUMNS)),
    )


def _less(whole: Moments, part: Moments) -> Moments:
    """Take a part out again: exact, since all the numbers are whole."""
    return Moments(whole.count - part.count, whole.sums - part.sums, whole.products - part.products)
