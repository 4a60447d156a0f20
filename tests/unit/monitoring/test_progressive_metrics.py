import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss, roc_auc_score

from monitoring.progressive_metrics import Calibration, ProgressiveLoss, QuantileWindow, StreamingAuc


def draws(seed: int, n: int = 5_000) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    probabilities = generator.beta(2, 3, n).astype(np.float32)
    return probabilities, generator.random(n) < probabilities


class TestStreamingAuc:
    @given(seed=st.integers(0, 2**32 - 1), cuts=st.integers(1, 7))
    def test_agrees_with_sklearn_however_the_rows_come(self, seed: int, cuts: int) -> None:
        scores, labels = draws(seed)
        auc = StreamingAuc()
        for part in np.array_split(np.arange(len(scores)), cuts):
            auc.add(scores[part], labels[part])
        assert auc.value() == pytest.approx(roc_auc_score(labels, scores), abs=1e-4)
        assert auc.num_rows == len(scores)

    def test_equal_scores_count_half(self) -> None:
        auc = StreamingAuc()
        auc.add(np.full(10, 0.3, np.float32), np.arange(10) < 4)
        assert auc.value() == 0.5

    def test_takes_scores_at_both_ends(self) -> None:
        auc = StreamingAuc(num_bins=4)
        auc.add(np.array([0.0, 1.0], np.float32), np.array([False, True]))
        assert auc.value() == 1.0

    def test_is_unknown_before_both_classes_are_seen(self) -> None:
        auc = StreamingAuc()
        assert np.isnan(auc.value())
        auc.add(np.array([0.4], np.float32), np.array([True]))
        assert np.isnan(auc.value())

    def test_merging_counts_the_rows_of_both(self) -> None:
        scores, labels = draws(3)
        whole, first, second = StreamingAuc(), StreamingAuc(), StreamingAuc()
        whole.add(scores, labels)
        first.add(scores[:900], labels[:900])
        second.add(scores[900:], labels[900:])
        first.merge(second)
        assert first.value() == whole.value()


class TestProgressiveLoss:
    def test_overall_agrees_with_sklearn(self) -> None:
        probabilities, labels = draws(1)
        loss = ProgressiveLoss(window=100)
        for part in np.array_split(np.arange(len(labels)), 13):
            loss.add(probabilities[part], labels[part])
        assert loss.overall() == pytest.approx(log_loss(labels, probabilities.astype(np.float64)), rel=1e-6)

    def test_windowed_forgets_batches_that_are_not_needed(self) -> None:
        loss = ProgressiveLoss(window=20)
        loss.add(np.full(50, 0.001, np.float32), np.ones(50, np.bool_))
        loss.add(np.full(20, 0.5, np.float32), np.ones(20, np.bool_))
        assert loss.value() == pytest.approx(np.log(2))

    def test_windowed_keeps_at_least_the_window(self) -> None:
        loss = ProgressiveLoss(window=20)
        loss.add(np.full(10, 0.25, np.float32), np.ones(10, np.bool_))
        loss.add(np.full(15, 0.5, np.float32), np.ones(15, np.bool_))
        assert loss.value() == pytest.approx((10 * np.log(4) + 15 * np.log(2)) / 25)

    def test_certain_and_wrong_stays_finite(self) -> None:
        loss = ProgressiveLoss()
        loss.add(np.array([0.0, 1.0], np.float32), np.array([True, False]))
        assert np.isfinite(loss.value())

    def test_is_unknown_before_the_first_row(self) -> None:
        loss = ProgressiveLoss()
        loss.add(np.empty(0, np.float32), np.empty(0, np.bool_))
        assert np.isnan(loss.value())
        assert np.isnan(loss.overall())


class TestCalibration:
    def test_honest_probabilities_give_about_one(self) -> None:
        calibration = Calibration()
        calibration.add(*draws(2, 50_000))
        assert calibration.value() == pytest.approx(1, abs=0.02)

    def test_is_mean_predicted_over_mean_observed(self) -> None:
        calibration = Calibration()
        calibration.add(np.array([0.8, 0.4], np.float32), np.array([True, False]))
        assert calibration.value() == pytest.approx(1.2)
        assert calibration.mean_predicted() == pytest.approx(0.6)
        assert calibration.mean_observed() == pytest.approx(0.5)

    def test_old_rows_fade(self) -> None:
        calibration = Calibration(half_life=10)
        calibration.add(np.full(1_000, 1.0, np.float32), np.zeros(1_000, np.bool_))
        calibration.add(np.full(1_000, 0.5, np.float32), np.arange(1_000) % 2 == 0)
        assert calibration.value() == pytest.approx(1, abs=1e-6)

    def test_is_unknown_before_anything_positive(self) -> None:
        calibration = Calibration()
        assert np.isnan(calibration.mean_predicted())
        calibration.add(np.array([0.5], np.float32), np.array([False]))
        assert np.isnan(calibration.value())


class TestQuantileWindow:
    @given(
        values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60),
        q=st.floats(0, 1),
        cut=st.integers(0, 60),
    )
    def test_agrees_with_numpy_over_the_last_values(self, values: list[float], q: float, cut: int) -> None:
        window = QuantileWindow(window=16)
        window.add(np.array(values[:cut]))
        for value in values[cut:]:
            window.add(value)
        assert len(window) == min(len(values), 16)
        assert window.quantile(q) == pytest.approx(float(np.quantile(values[-16:], q)))

    def test_is_unknown_before_the_first_value(self) -> None:
        assert np.isnan(QuantileWindow().quantiles(0.5, 0.95)).all()

    def test_refuses_what_is_no_number(self) -> None:
        with pytest.raises(ValueError, match="finite"):
            QuantileWindow().add(float("nan"))
