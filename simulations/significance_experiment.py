"""What the sequential test promises, tried: A/A experiments that are looked at after every batch.

Without a difference, the share that is ever called one is the false alarm rate. With a true lift, the share
that is found by twice the sample of the classical test of one planned look is the power.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy import special

from messages.arrays import BoolArray, DoubleArray, IntArray
from monitoring.sample_ratio import SampleRatioTest
from monitoring.sequential_test import SequentialTest
from monitoring.user_moments import ratio_effect
from simulations.significance_population import NUM_ARMS, PopulationSettings, SimulatedExperiments


class SignificanceSettings(BaseModel):
    """lift: relative, in engagement. planned_power: of the classical test that gives the sample.

    min_people: in an arm at the first look. chunk: experiments at once, which bounds the memory.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    num_experiments: int = Field(default=1000, ge=1)
    alpha: float = Field(default=0.05, gt=0, lt=1)
    lift: float = Field(default=0.05, gt=0)
    planned_power: float = Field(default=0.8, gt=0, lt=1)
    sample_factor: float = Field(default=2.0, gt=0)
    min_people: int = Field(default=100, ge=2)
    chunk: int = Field(default=50, ge=1)
    seed: int = 0
    population: PopulationSettings = PopulationSettings()


@dataclass(frozen=True, slots=True)
class SignificanceReport:
    """Shares of experiments. *_with_history: adjusted for the time before (CUPED).

    classical_power: at its own sample. peeking_false_alarm_rate: of the classical test, were it looked at as
    often. people, classical_people: in both arms. median_people_to_find: of those found, without history.
    """

    experiments: int
    looks: int
    alpha: float
    lift: float
    classical_people: int
    people: int
    false_alarm_rate: float
    power: float
    false_alarm_rate_with_history: float
    power_with_history: float
    peeking_false_alarm_rate: float
    classical_power: float
    sample_ratio_false_alarm_rate: float
    interval_coverage: float
    median_people_to_find: float
    median_people_to_find_with_history: float

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Outcomes:
    """Of e experiments. found_*: the people at the first significant look, NaN if never, float64 [e]."""

    found: DoubleArray
    found_with_history: DoubleArray
    found_by_peeking: DoubleArray
    classical: BoolArray
    covered: BoolArray
    ratio_alarm: BoolArray


def run_significance_experiments(settings: SignificanceSettings) -> SignificanceReport:
    """Simulate experiments without and with the lift, `num_experiments` of each."""
    classical_people = classical_sample(settings)
    batches = settings.population.num_batches
    cohort = int(np.ceil(classical_people * settings.sample_factor / batches))
    null = _run(settings, cohort, classical_people, lift=0.0)
    lifted = _run(settings, cohort, classical_people, lift=settings.lift)
    return SignificanceReport(
        experiments=settings.num_experiments,
        looks=batches - _first_look(settings, cohort),
        alpha=settings.alpha,
        lift=settings.lift,
        classical_people=classical_people,
        people=cohort * batches,
        false_alarm_rate=_share_found(null.found),
        power=_share_found(lifted.found),
        false_alarm_rate_with_history=_share_found(null.found_with_history),
        power_with_history=_share_found(lifted.found_with_history),
        peeking_false_alarm_rate=_share_found(null.found_by_peeking),
        classical_power=float(lifted.classical.mean()),
        sample_ratio_false_alarm_rate=float(null.ratio_alarm.mean()),
        interval_coverage=float(null.covered.mean()),
        median_people_to_find=_median(lifted.found),
        median_people_to_find_with_history=_median(lifted.found_with_history),
    )


def classical_sample(settings: SignificanceSettings, pilot_people: int = 40_000) -> int:
    """Return how many people, in both arms, the two-sample z-test of one look needs for the lift."""
    batches = settings.population.num_batches
    pilot = SimulatedExperiments(
        settings.population,
        num_experiments=1,
        cohort_people=pilot_people // batches,
        lift=0.0,
        seed=settings.seed + 1,
    )
    for arms in pilot.batches():
        last = arms
    effect = ratio_effect(last.control, last.treatment, use_history=False)
    variance_of_one = float(effect.variance[0]) * pilot_people / 4  # half in each arm, and two arms
    quantiles = special.ndtri([1 - settings.alpha / 2, settings.planned_power]).sum()
    per_arm = 2 * variance_of_one * (quantiles / (settings.lift * float(effect.control[0]))) ** 2
    return int(np.ceil(per_arm)) * NUM_ARMS


def _run(settings: SignificanceSettings, cohort: int, classical_people: int, *, lift: float) -> _Outcomes:
    chunks = [
        _run_chunk(
            settings,
            cohort,
            classical_people,
            lift=lift,
            count=min(settings.chunk, settings.num_experiments - start),
            seed=settings.seed + 2 + start + (settings.num_experiments if lift else 0),
        )
        for start in range(0, settings.num_experiments, settings.chunk)
    ]
    return _Outcomes(
        *(np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in _Outcomes.__slots__)
    )


def _run_chunk(
    settings: SignificanceSettings, cohort: int, classical_people: int, *, lift: float, count: int, seed: int
) -> _Outcomes:
    batches = settings.population.num_batches
    first_look = _first_look(settings, cohort)
    plain, adjusted = SequentialTest(settings.alpha), SequentialTest(settings.alpha)
    ratio = SampleRatioTest([1.0] * NUM_ARMS)
    critical = float(special.ndtri(1 - settings.alpha / 2))
    found, with_history, peeking = (np.full(count, np.nan) for _ in range(3))
    classical = np.zeros(count, dtype=np.bool_)
    truth_held = np.ones(count, dtype=np.bool_)
    simulated = SimulatedExperiments(
        settings.population, num_experiments=count, cohort_people=cohort, lift=lift, seed=seed
    )
    for batch, arms in enumerate(simulated.batches()):
        ratio.look(arms.people)
        if batch < first_look:
            continue
        people = cohort * (batch + 1)
        share = (first_look + 1) / batches
        effect = ratio_effect(arms.control, arms.treatment, use_history=False)
        look = plain.look(effect.estimate, effect.variance, planned_share=share)
        better = ratio_effect(arms.control, arms.treatment)
        look_adjusted = adjusted.look(better.estimate, better.variance, planned_share=share)
        significant = np.abs(effect.estimate) > critical * np.sqrt(effect.variance)
        _mark(found, look.p_value <= settings.alpha, people)
        _mark(with_history, look_adjusted.p_value <= settings.alpha, people)
        _mark(peeking, significant, people)
        if people - cohort < classical_people <= people:
            classical = significant
        truth_held &= (look.low <= 0) & (look.high >= 0)
    return _Outcomes(found, with_history, peeking, classical, truth_held, ratio.p_value <= settings.alpha)


def _first_look(settings: SignificanceSettings, cohort: int) -> int:
    """Return the batch after which each arm has about `min_people`."""
    needed = int(np.ceil(settings.min_people * NUM_ARMS / cohort)) - 1
    return min(needed, settings.population.num_batches - 1)


def _mark(found: DoubleArray, significant: BoolArray, people: int) -> None:
    found[np.isnan(found) & significant] = people


def _share_found(found: DoubleArray) -> float:
    return float(np.isfinite(found).mean())


def _median(found: DoubleArray) -> float:
    known: IntArray | DoubleArray = found[np.isfinite(found)]
    return float(np.median(known)) if len(known) else float("nan")
