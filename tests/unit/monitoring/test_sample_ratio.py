import numpy as np
import pytest
from scipy import special

from monitoring.sample_ratio import SampleRatioTest, fixed_size_p_value, log_evidence


def test_evidence_is_the_likelihood_under_the_mixture_against_that_under_the_shares() -> None:
    a, b, heads, tails = 60.0, 40.0, 7, 5
    mixed = special.beta(a + heads, b + tails) / special.beta(a, b)
    expected = np.log(mixed / (0.6**heads * 0.4**tails))
    assert float(log_evidence(np.array([heads, tails]), np.array([0.6, 0.4]))) == pytest.approx(expected)


def test_right_shares_seldom_alarm_however_often_one_looks() -> None:
    generator = np.random.default_rng(0)
    test = SampleRatioTest([0.9, 0.1])
    counts = np.zeros((1_000, 2), np.int64)
    for _ in range(200):
        counts += generator.multinomial(20, [0.9, 0.1], size=1_000)
        p_values = test.look(counts)
    assert (p_values <= 0.05).mean() <= 0.05


def test_a_lost_tenth_of_an_arm_is_found_and_not_forgotten() -> None:
    test = SampleRatioTest([1, 1])
    assert float(test.look(np.array([5_000, 4_500]))) < 0.001
    assert float(test.look(np.array([5_000, 5_000]))) < 0.001
    assert fixed_size_p_value(np.array([5_000, 4_500]), [1, 1]) < 0.001


def test_equal_counts_are_no_evidence() -> None:
    assert float(SampleRatioTest([1, 1]).look(np.array([500, 500]))) == 1.0
    assert fixed_size_p_value(np.array([500, 500]), [1, 1]) == 1.0


def test_goes_on_from_the_p_value_it_had() -> None:
    assert float(SampleRatioTest([1, 1], p_value=0.2).look(np.array([5, 5]))) == 0.2


@pytest.mark.parametrize("shares", [[1.0], [1.0, 0.0], [1.0, -1.0]])
def test_wants_two_arms_with_shares(shares: list[float]) -> None:
    with pytest.raises(ValueError, match="two arms"):
        SampleRatioTest(shares)
