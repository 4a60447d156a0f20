import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss, roc_auc_score

from monitoring.progressive_validation import EVERYTHING, ProgressiveValidation, SecondsError

HEADS = ("engage", "like")


def draws(seed: int, n: int = 3_000) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    probabilities = generator.beta(2, 3, (n, 2)).astype(np.float32)
    trained = generator.random((n, 2)) < [1.0, 0.4]
    return probabilities, generator.random((n, 2)) < probabilities, trained, generator.random(n) < 0.2


@given(seed=st.integers(0, 2**32 - 1), cuts=st.integers(1, 9))
def test_values_are_those_of_the_rows_however_they_come(seed: int, cuts: int) -> None:
    probabilities, targets, trained, new = draws(seed)
    validation = ProgressiveValidation(HEADS)
    for part in np.array_split(np.arange(len(new)), cuts):
        validation.add(probabilities[part], targets[part], trained[part], {"new": new[part]})
    report = validation.report()
    for segment, members in ((EVERYTHING, np.ones(len(new), bool)), ("new", new)):
        for column, head in enumerate(HEADS):
            rows = members & trained[:, column]
            p, y = probabilities[rows, column].astype(np.float64), targets[rows, column]
            found = report[segment][head]
            assert found["rows"] == rows.sum()
            assert found["auc"] == pytest.approx(roc_auc_score(y, p), abs=1e-3)
            assert found["log_loss"] == pytest.approx(log_loss(y, p), rel=1e-6)
            assert found["calibration"] == pytest.approx(p.sum() / y.sum(), rel=1e-6)
            base = log_loss(y, np.full(len(y), y.mean()))
            assert found["normalized_entropy"] == pytest.approx(log_loss(y, p) / base, rel=1e-6)


def test_a_head_of_which_nothing_is_known_has_no_values() -> None:
    validation = ProgressiveValidation(HEADS)
    probabilities = np.full((4, 2), 0.5, np.float32)
    engaged = np.array([[True, False]] * 4)
    validation.add(probabilities, engaged, engaged, {"nobody": np.zeros(4, bool)})
    report = validation.report()
    assert report[EVERYTHING]["like"]["rows"] == 0
    assert np.isnan(report[EVERYTHING]["like"]["auc"])
    assert np.isnan(report[EVERYTHING]["engage"]["auc"])  # positives alone
    assert report[EVERYTHING]["engage"]["log_loss"] == pytest.approx(np.log(2))
    assert "nobody" not in report


def test_old_rows_leave_the_window() -> None:
    validation = ProgressiveValidation(HEADS, window=100)
    wrong, right = (np.full((50, 2), p, np.float32) for p in (0.01, 0.99))
    yes = np.ones((50, 2), bool)
    for _ in range(4):
        validation.add(wrong, yes, yes, {})
    before = validation.report()[EVERYTHING]["engage"]
    for _ in range(4):
        validation.add(right, yes, yes, {})
    after = validation.report()[EVERYTHING]["engage"]
    assert before["log_loss"] > 4
    assert after["log_loss"] < 0.02
    assert after["rows"] == 200


def test_sure_and_wrong_costs_much_and_not_infinitely_much() -> None:
    validation = ProgressiveValidation(HEADS)
    sure = np.array([[1.0, 0.0]], np.float32)
    validation.add(sure, np.array([[False, True]]), np.ones((1, 2), bool), {})
    assert 10 < validation.report()[EVERYTHING]["engage"]["log_loss"] < 100


def test_errors_of_seconds_leave_out_what_is_not_told() -> None:
    errors = SecondsError()
    errors.add(np.array([5.0, 9.0, 7.0], np.float32), np.array([10.0, np.nan, 5.0], np.float32))
    report = errors.report()
    assert report["mean_absolute_error"] == pytest.approx(3.5)
    assert report["mean_predicted"] == pytest.approx(6.0)
    assert report["mean_observed"] == pytest.approx(7.5)
    assert report["calibration"] == pytest.approx(0.8)


def test_errors_of_seconds_fade() -> None:
    errors = SecondsError(half_life=10)
    errors.add(np.zeros(10, np.float32), np.full(10, 30, np.float32))
    errors.add(np.full(100, 4, np.float32), np.full(100, 5, np.float32))
    assert errors.report()["mean_absolute_error"] == pytest.approx(1, abs=0.1)


def test_no_row_says_nothing() -> None:
    assert all(np.isnan(value) for value in SecondsError().report().values())
    assert set(ProgressiveValidation(HEADS).report()) == {"watch_time"}
