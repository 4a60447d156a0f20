import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from messages.codec import pack, unpack
from monitoring.sequential_test import SequentialTest, interval_radius, mixture_variance, p_value_now

POSITIVE = st.floats(1e-4, 1e3)


@given(estimate=st.floats(-5, 5), variance=st.floats(0.5, 5), mixture=st.floats(0.1, 5))
def test_p_value_is_one_over_the_mixed_likelihood_ratio(
    estimate: float, variance: float, mixture: float
) -> None:
    def ratio(effect: float) -> float:
        return float(
            stats.norm.pdf(effect, 0, np.sqrt(mixture))
            * np.exp((estimate * effect - effect**2 / 2) / variance)
        )

    peak = estimate * mixture / (variance + mixture)
    width = 12 * np.sqrt(variance * mixture / (variance + mixture))
    mixed, _ = integrate.quad(ratio, peak - width, peak + width)
    expected = min(1.0, 1 / mixed)
    assert float(
        p_value_now(np.asarray(estimate), np.asarray(variance), np.asarray(mixture))
    ) == pytest.approx(expected, rel=1e-6)


@given(variance=POSITIVE, mixture=POSITIVE, alpha=st.floats(0.001, 0.5))
def test_the_interval_ends_where_the_p_value_is_alpha(variance: float, mixture: float, alpha: float) -> None:
    radius = interval_radius(np.asarray(variance), np.asarray(mixture), alpha)
    assert float(p_value_now(radius, np.asarray(variance), np.asarray(mixture))) == pytest.approx(alpha)


def test_the_interval_is_that_of_the_paper() -> None:
    t, rho, sigma, alpha = 500.0, 0.1, 2.0, 0.05
    theirs = sigma * np.sqrt(2 * (t * rho**2 + 1) / (t**2 * rho**2) * np.log(np.sqrt(t * rho**2 + 1) / alpha))
    ours = interval_radius(np.asarray(sigma**2 / t), np.asarray(sigma**2 * rho**2), alpha)
    assert float(ours) == pytest.approx(theirs)


def test_the_mixture_is_nearly_the_best_where_it_was_planned() -> None:
    planned = 0.01
    best = float(interval_radius(np.asarray(planned), mixture_variance(planned, 0.05), 0.05))
    others = interval_radius(np.full(400, planned), np.geomspace(1e-4, 1, 400), 0.05)
    assert best <= float(others.min()) * 1.001


def test_an_unknown_variance_says_nothing() -> None:
    test = SequentialTest()
    look = test.look(np.asarray(9.0), np.asarray(np.nan), planned_share=0.5)
    assert not look.is_above
    assert float(look.p_value) == 1.0
    assert np.isinf(interval_radius(np.asarray(0.0), np.asarray(1.0), 0.05))


def test_a_p_value_never_rises_and_an_interval_follows_what_is_now() -> None:
    test = SequentialTest()
    first = test.look(np.asarray(1.0), np.asarray(0.01), planned_share=0.5)
    later = test.look(np.asarray(0.0), np.asarray(0.01), planned_share=0.5)
    assert first.is_above
    assert not later.is_above
    assert not later.is_below
    assert float(later.p_value) == float(first.p_value)


def test_a_test_read_back_goes_on_as_if_nothing_had_happened() -> None:
    generator = np.random.default_rng(0)
    test, copied = SequentialTest(0.1), SequentialTest(0.1)
    for n in range(10, 200, 10):
        estimate, variance = np.asarray(generator.normal(0.1, n**-0.5)), np.asarray(1 / n)
        look = test.look(estimate, variance, planned_share=0.05)
        copied = SequentialTest.from_wire(unpack(pack(copied.to_wire())))
        assert copied.look(estimate, variance, planned_share=0.05).numbers() == look.numbers()


def test_many_looks_at_nothing_seldom_find_something() -> None:
    generator = np.random.default_rng(1)
    sums, test = np.zeros(2_000), SequentialTest(0.05)
    for n in range(1, 400):
        sums += generator.standard_normal(2_000)
        if n >= 20:
            look = test.look(sums / n, np.full(2_000, 1 / n), planned_share=0.05)
    assert (look.p_value <= 0.05).mean() <= 0.05
    assert ((look.low <= 0) & (look.high >= 0)).mean() >= 0.95


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1])
def test_alpha_is_a_chance(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        SequentialTest(alpha)


def test_the_planned_share_is_a_share() -> None:
    with pytest.raises(ValueError, match="planned_share"):
        SequentialTest().look(np.asarray(0.0), np.asarray(1.0), planned_share=0.0)
