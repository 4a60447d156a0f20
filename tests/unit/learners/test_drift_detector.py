import numpy as np
import pytest

from learners.drift_detector import Drift, DriftDetector, DriftSettings

SETTINGS = DriftSettings()


def losses(draws: np.random.Generator, level: float, num_rows: int, batch: int) -> list[float]:
    """Mean losses of batches whose rows scatter by 0.5."""
    return (level + 0.5 / np.sqrt(batch) * draws.standard_normal(num_rows // batch)).tolist()


def run(detector: DriftDetector, values: list[float], batch: int) -> list[tuple[int, Drift]]:
    found = [(at, detector.observe(loss, batch, time=float(at))) for at, loss in enumerate(values)]
    return [(at * batch, drift) for at, drift in found if drift is not None]


@pytest.mark.parametrize("batch", [16, 256])
def test_a_steady_loss_is_no_drift(batch: int) -> None:
    draws = np.random.default_rng(batch)
    assert run(DriftDetector(SETTINGS), losses(draws, 0.6, 400_000, batch), batch) == []


@pytest.mark.parametrize("batch", [16, 256])
def test_a_rise_is_found_soon_and_said_once(batch: int) -> None:
    draws = np.random.default_rng(batch)
    detector = DriftDetector(SETTINGS)
    course = losses(draws, 0.6, 51_200, batch) + losses(draws, 0.75, 102_400, batch)
    ((at, drift),) = run(detector, course, batch)
    assert 51_200 < at < 51_200 + 5_000
    assert drift.loss_before == pytest.approx(0.6, abs=0.02)
    assert drift.time == at / batch
    assert detector.num_drifts == 1


def test_a_falling_loss_is_no_drift() -> None:
    values = [2.0 - step / 1_000 for step in range(1_000)]
    assert run(DriftDetector(SETTINGS), values, 256) == []


def test_nothing_is_said_in_the_beginning_nor_of_what_is_no_number() -> None:
    detector = DriftDetector(SETTINGS)
    assert run(detector, [0.1] * 10 + [5.0] * 5, 256) == []
    assert detector.observe(float("nan"), 256, 0.0) is None
    assert detector.observe(1.0, 0, 0.0) is None
