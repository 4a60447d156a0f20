import numpy as np
import pytest

from learners.adaptive_rate import AdaptiveRate, AdaptiveRateSettings

SETTINGS = AdaptiveRateSettings(window_rows=1_000)


def show(
    rate: AdaptiveRate, level: float, windows: int, draws: np.random.Generator, noise: float = 0.02
) -> None:
    for _ in range(windows * 10):
        rate.observe(level + noise * draws.standard_normal(), 100)


def test_a_falling_loss_raises_the_rate_up_to_its_bound() -> None:
    rate = AdaptiveRate(SETTINGS)
    for step in range(200):
        rate.observe(2.0 - step / 1_000, 500)
    assert rate.scale == SETTINGS.highest


def test_a_plain_rise_halves_the_rate_and_rises_without_end_stop_at_the_bound() -> None:
    rate, draws = AdaptiveRate(SETTINGS), np.random.default_rng(0)
    show(rate, 0.5, 1, draws)
    show(rate, 1.0, 1, draws)
    assert rate.scale == 0.5
    for level in range(2, 12):
        show(rate, float(level), 1, draws)
    assert rate.scale == SETTINGS.lowest


def test_noise_does_not_bring_the_rate_down() -> None:
    rate, draws = AdaptiveRate(SETTINGS), np.random.default_rng(1)
    show(rate, 0.5, 200, draws)
    assert rate.scale >= 1.0


def test_one_batch_a_window_is_never_sure_of_a_rise() -> None:
    rate = AdaptiveRate(SETTINGS)
    rate.observe(0.5, 1_000)
    rate.observe(5.0, 1_000)
    assert rate.scale == 1.0


@pytest.mark.parametrize(("loss", "rows"), [(float("nan"), 10), (float("inf"), 10), (1.0, 0)])
def test_what_says_nothing_changes_nothing(loss: float, rows: int) -> None:
    rate = AdaptiveRate(AdaptiveRateSettings(window_rows=1))
    rate.observe(0.5, 10)
    rate.observe(loss, rows)
    assert rate.scale == 1.0


def test_switched_off_it_stays_at_one() -> None:
    rate = AdaptiveRate(AdaptiveRateSettings(enabled=False, window_rows=1))
    for loss in (3.0, 2.0, 1.0):
        rate.observe(loss, 10)
    assert rate.scale == 1.0
