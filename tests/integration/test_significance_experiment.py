import numpy as np
import pytest

from monitoring.user_moments import Moments
from simulations.significance_experiment import (
    SignificanceSettings,
    classical_sample,
    run_significance_experiments,
)
from simulations.significance_population import PopulationSettings, SimulatedExperiments

SMALL = SignificanceSettings(
    num_experiments=60, lift=0.1, chunk=40, population=PopulationSettings(num_batches=20)
)


def test_keeps_its_promises_at_a_small_size() -> None:
    report = run_significance_experiments(SMALL)
    assert report.false_alarm_rate <= 0.1  # of 60: the command tries 1,000
    assert report.power >= 0.7
    assert report.power_with_history >= report.power
    assert report.peeking_false_alarm_rate > 2 * report.false_alarm_rate
    assert 0.6 < report.classical_power < 0.95
    assert report.interval_coverage >= 0.9
    assert report.people == pytest.approx(2 * report.classical_people, rel=0.05)
    assert all(isinstance(value, int | float) for value in report.as_dict().values())


def test_the_same_seed_gives_the_same_report() -> None:
    tiny = SMALL.model_copy(update={"num_experiments": 4, "chunk": 3})
    assert run_significance_experiments(tiny) == run_significance_experiments(tiny)


def test_a_lift_half_as_large_needs_four_times_the_people() -> None:
    smaller = SMALL.model_copy(update={"lift": 0.05})
    assert classical_sample(smaller) == pytest.approx(4 * classical_sample(SMALL), rel=0.01)


def test_moments_that_are_kept_batch_by_batch_are_those_of_the_people() -> None:
    simulated = SimulatedExperiments(SMALL.population, num_experiments=2, cohort_people=7, lift=0.2, seed=5)
    for arms in simulated.batches():
        last = arms
    totals = simulated._totals.reshape(2, -1, 4)
    treated = simulated._treated.reshape(2, -1)
    for each in range(2):
        expected = Moments.of(totals[each][treated[each]])
        np.testing.assert_array_equal(last.treatment.products[each], expected.products)
        assert last.treatment.count[each] == expected.count
        assert last.people[each].sum() == 7 * SMALL.population.num_batches
