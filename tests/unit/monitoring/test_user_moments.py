import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from monitoring.user_moments import Moments, one_sample_ratio, ratio_effect


def people(seed: int, n: int, lift: float = 0.0) -> np.ndarray:
    """n people with numerator, denominator, and the same of before, float64 [n, 4]."""
    generator = np.random.default_rng(seed)
    shares = generator.beta(3, 4, n)
    before = generator.poisson(20, n)
    contents = 1 + generator.poisson(generator.gamma(2, 4, n))
    return np.column_stack(
        [
            generator.binomial(contents, np.minimum(shares * (1 + lift), 1)),
            contents,
            generator.binomial(before, shares),
            before,
        ]
    ).astype(np.float64)


@given(seed=st.integers(0, 2**32 - 1), cut=st.integers(0, 100))
def test_parts_add_up_to_the_whole(seed: int, cut: int) -> None:
    values = people(seed, 100)
    whole, parts = Moments.of(values), Moments.of(values[:cut]) + Moments.of(values[cut:])
    np.testing.assert_array_equal(whole.products, parts.products)
    np.testing.assert_allclose(whole.covariance(), np.cov(values.T), atol=1e-9)


def test_where_every_denominator_is_one_it_is_welchs_test() -> None:
    generator = np.random.default_rng(2)
    first, second = generator.normal(1, 2, 80), generator.normal(1.5, 3, 130)
    effect = ratio_effect(
        Moments.of_totals(first, np.ones(80)), Moments.of_totals(second, np.ones(130)), use_history=False
    )
    z = float(effect.estimate / np.sqrt(effect.variance))
    assert z == pytest.approx(stats.ttest_ind(second, first, equal_var=False).statistic)


def test_the_variance_of_a_ratio_is_that_of_many_repetitions() -> None:
    repetitions = np.stack([people(seed, 400) for seed in range(600)])
    ratios, variances = one_sample_ratio(Moments.of(repetitions))
    assert float(np.mean(variances)) == pytest.approx(float(np.var(ratios)), rel=0.15)


def test_events_of_one_person_count_as_one_person() -> None:
    values = people(3, 500)
    per_event = values[:, 0].sum() / values[:, 1].sum()
    naive = per_event * (1 - per_event) / values[:, 1].sum()
    assert float(one_sample_ratio(Moments.of(values))[1]) > 2 * naive


def test_history_makes_the_estimate_sharper_and_leaves_it_unbiased() -> None:
    control = np.stack([people(2 * seed, 300) for seed in range(300)])
    treatment = np.stack([people(2 * seed + 1, 300, lift=0.1) for seed in range(300)])
    plain = ratio_effect(Moments.of(control), Moments.of(treatment), use_history=False)
    adjusted = ratio_effect(Moments.of(control), Moments.of(treatment))
    assert float(adjusted.explained.mean()) > 0.3
    assert float(adjusted.estimate.mean()) == pytest.approx(float(plain.estimate.mean()), abs=0.004)
    assert float(np.var(adjusted.estimate)) == pytest.approx(float(adjusted.variance.mean()), rel=0.2)
    assert float(np.var(adjusted.estimate)) < float(np.var(plain.estimate))


def test_without_history_the_adjustment_changes_nothing() -> None:
    values = people(5, 200)
    values[:, 2:] = 0
    arms = Moments.of(values[:90]), Moments.of(values[90:])
    plain, adjusted = ratio_effect(*arms, use_history=False), ratio_effect(*arms)
    assert float(adjusted.estimate) == float(plain.estimate)
    assert float(adjusted.variance) == pytest.approx(float(plain.variance))


def test_one_person_has_no_variance_and_nobody_no_ratio() -> None:
    one = Moments.of(people(0, 1))
    assert np.isnan(one_sample_ratio(one)[1])
    nobody = Moments.of(np.zeros((0, 4)))
    with np.errstate(invalid="ignore"):
        assert np.isnan(nobody.ratio())
        assert np.isnan(ratio_effect(nobody, one).estimate)
