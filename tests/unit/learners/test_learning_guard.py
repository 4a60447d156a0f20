"""One guard decides on every batch: kept or quarantined, and how fast it is learned."""

from __future__ import annotations

from learners.adaptive_rate import AdaptiveRateSettings
from learners.learning_guard import LearningGuard, LearningGuardSettings
from learners.quarantine import QuarantineSettings

SETTINGS = LearningGuardSettings(
    quarantine=QuarantineSettings(warm_up_rows=100),
    adaptive_rate=AdaptiveRateSettings(window_rows=200),
)


def guard_after(losses: list[float]) -> LearningGuard:
    guard = LearningGuard(SETTINGS)
    for time, loss in enumerate(losses):
        assert guard.judge(loss, 50).keep
        guard.learned(loss, 50, float(time))
    return guard


def test_a_usual_batch_is_kept_and_a_spike_is_quarantined_with_its_reason() -> None:
    guard = guard_after([0.7, 0.69, 0.71, 0.7])
    verdict = guard.judge(40.0, 50)
    assert not verdict.keep
    assert "usual" in verdict.reason
    assert guard.report()["quarantined_examples"] == 50


def test_what_was_quarantined_moves_no_rate() -> None:
    guard = guard_after([0.7, 0.69, 0.71, 0.7])
    before = guard.learning_rate_scale
    guard.judge(40.0, 50)
    assert guard.learning_rate_scale == before


def test_a_falling_loss_raises_the_rate_a_little() -> None:
    guard = guard_after([0.9, 0.89, 0.91, 0.9, 0.6, 0.59, 0.61, 0.6])
    assert guard.learning_rate_scale == SETTINGS.adaptive_rate.raise_factor
