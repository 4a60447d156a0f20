import numpy as np
import pytest
from scipy import stats

from monitoring.off_policy import (
    Estimator,
    LoggedRows,
    OffPolicyError,
    estimate_gain,
    estimate_value,
    logged_value,
)

REWARDS = np.array([1.0, 0.0, 1.0, 1.0])
LOGGED = np.array([0.5, 0.25, 0.5, 0.1])
TARGET = np.array([0.25, 0.5, 0.5, 0.2])


def rows(**changes: object) -> LoggedRows:
    return LoggedRows(
        **{"rewards": REWARDS, "propensities": LOGGED, "target_propensities": TARGET, **changes}
    )


def test_ips_and_snips_by_hand() -> None:
    weights = np.array([0.5, 2.0, 1.0, 2.0])
    assert estimate_value(rows(), "ips").value == pytest.approx(3.5 / 4)
    assert estimate_value(rows(), "snips").value == pytest.approx(3.5 / 5.5)
    assert estimate_value(rows(), "ips").mean_weight == pytest.approx(weights.mean())
    assert estimate_value(rows(), "ips").effective_rows == pytest.approx(5.5**2 / (weights**2).sum())


def test_dr_by_hand() -> None:
    logged = rows(predicted=np.array([0.8, 0.1, 0.7, 0.6]), predicted_target=np.array([0.5, 0.4, 0.6, 0.5]))
    expected = np.mean([0.5 + 0.5 * 0.2, 0.4 - 2 * 0.1, 0.6 + 0.3, 0.5 + 2 * 0.4])
    assert estimate_value(logged, "dr").value == pytest.approx(expected)


def test_a_large_weight_can_be_cut() -> None:
    assert estimate_value(rows(), "ips", max_weight=1.0).value == pytest.approx(2.5 / 4)


@pytest.mark.parametrize("estimator", ["ips", "snips"])
def test_the_logging_policy_earned_what_it_earned(estimator: Estimator) -> None:
    generator = np.random.default_rng(0)
    rewards = generator.normal(size=500)
    chances = generator.uniform(0.1, 1, 500)
    same = LoggedRows(rewards, chances, chances)
    estimate = estimate_value(same, estimator)
    interval = stats.t.interval(0.95, 499, rewards.mean(), stats.sem(rewards))
    assert (estimate.low, estimate.high) == pytest.approx(interval)
    assert logged_value(same).numbers("x") == pytest.approx(estimate.numbers("x"))
    gain = estimate_gain(same, estimator)
    assert (gain.value, gain.low, gain.high) == pytest.approx((0, 0, 0), abs=1e-12)


def test_rows_of_one_person_widen_the_interval() -> None:
    generator = np.random.default_rng(1)
    rewards = np.repeat(generator.normal(size=50), 20)
    chances = np.full(1_000, 0.5)
    together = logged_value(LoggedRows(rewards, chances, chances, clusters=np.repeat(np.arange(50), 20)))
    apart = logged_value(LoggedRows(rewards, chances, chances))
    assert together.standard_error == pytest.approx(stats.sem(rewards[::20]))
    assert together.standard_error > 4 * apart.standard_error


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"propensities": np.array([0.5, 0.0, 0.5, 0.1])}, "propensities"),
        ({"propensities": LOGGED[:3]}, "length"),
        ({"target_propensities": TARGET + 1}, "target"),
        ({"rewards": np.array([np.nan, 0, 0, 0])}, "finite"),
    ],
)
def test_refuses_a_log_that_cannot_be(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(OffPolicyError, match=problem):
        rows(**changes)


def test_refuses_what_the_log_cannot_tell() -> None:
    with pytest.raises(OffPolicyError, match="never"):
        estimate_value(rows(target_propensities=np.zeros(4)), "snips")
    with pytest.raises(OffPolicyError, match="reward model"):
        estimate_value(rows(), "dr")
    with pytest.raises(OffPolicyError, match="two people"):
        logged_value(rows(clusters=np.zeros(4)))
    with pytest.raises(OffPolicyError, match="two rows"):
        LoggedRows(REWARDS[:1], LOGGED[:1], TARGET[:1])
